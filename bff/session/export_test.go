package session

// OpenLabel returns nil when the label does not open.
func OpenLabel(k *KeyRing, id ID, data []byte) []byte {
	label, err := k.openLabel(id, data)
	if err != nil {
		return nil
	}
	return label
}
