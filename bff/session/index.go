package session

// Names of the two indexes, hashed in front of the value.
const (
	indexSubject = "subject"
	indexSID     = "sid"
)

// appendSIDKey and appendSubjectKey append the keys under which a session is found
// again: by the provider's session ID, if it gave one, and by its subject, both
// within their issuer.
func (k *KeyRing) appendSIDKey(keys []Key, s *Session) []Key {
	if s.SID == "" {
		return keys
	}
	return append(keys, k.current()[0].hash(indexSID, s.Issuer, s.SID))
}

func (k *KeyRing) appendSubjectKey(keys []Key, s *Session) []Key {
	return append(keys, k.current()[0].hash(indexSubject, s.Issuer, s.Subject))
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
