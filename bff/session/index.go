package session

// Names of the two indexes, hashed in front of the value.
const (
	indexSubject = "subject"
	indexSID     = "sid"
)

// indexKeys are the keys under which a session is found again: by its subject
// and by the provider's session ID, both within their issuer.
func (k *KeyRing) indexKeys(s *Session) []Key {
	key := &k.current()[0]
	keys := []Key{key.hash(indexSubject, s.Issuer, s.Subject)}
	if s.SID != "" {
		keys = append(keys, key.hash(indexSID, s.Issuer, s.SID))
	}
	return keys
}

// SubjectKeys returns the index keys of a subject, one per key of the ring:
// sessions made before a rotation are found under the older ones.
func (k *KeyRing) SubjectKeys(issuer, subject string) []Key {
	return k.lookup(indexSubject, issuer, subject)
}

// SIDKeys does the same for a provider's session ID.
func (k *KeyRing) SIDKeys(issuer, sid string) []Key { return k.lookup(indexSID, issuer, sid) }

func (k *KeyRing) lookup(parts ...string) []Key {
	var keys []Key
	for _, key := range k.current() {
		keys = append(keys, key.hash(parts...))
	}
	return keys
}
