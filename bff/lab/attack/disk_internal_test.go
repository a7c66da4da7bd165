package attack

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"testing"
)

// sealedCookie is what Chromium writes, without a keyring.
func sealedCookie(t *testing.T, value, host string) []byte {
	t.Helper()
	key, err := pbkdf2.Key(sha1.New, "peanuts", []byte("saltysalt"), 1, 16)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	bound := sha256.Sum256([]byte(host))
	plain := append(bound[:], value...)
	padding := aes.BlockSize - len(plain)%aes.BlockSize
	plain = append(plain, bytes.Repeat([]byte{byte(padding)}, padding)...)
	cipher.NewCBCEncrypter(block, bytes.Repeat([]byte{' '}, aes.BlockSize)).CryptBlocks(plain, plain)
	return append([]byte("v10"), plain...)
}

func TestACookieOnDiskIsOpened(t *testing.T) {
	const host = "app.lab.localhost"
	sealed := sealedCookie(t, "a ticket", host)
	for name, row := range map[string]struct {
		encrypted []byte
		want      string
	}{
		"with the key of every machine": {sealed, "a ticket"},
		"with a key of the keyring":     {append([]byte("v11"), sealed[3:]...), ""},
		"cut off":                       {sealed[:len(sealed)-1], ""},
		"empty":                         {nil, ""},
	} {
		if got := opened(row.encrypted, host); got != row.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// frames writes records as LevelDB's log does.
func frames(records ...[]byte) []byte {
	const block, head = 32 << 10, 7
	var log []byte
	for _, record := range records {
		for first := true; first || len(record) > 0; first = false {
			if left := block - len(log)%block; left < head {
				log = append(log, make([]byte, left)...)
			}
			n := min(len(record), block-len(log)%block-head)
			header := make([]byte, head)
			binary.LittleEndian.PutUint16(header[4:], uint16(n))
			header[6] = 2
			log = append(append(log, header...), record[:n]...)
			record = record[n:]
		}
	}
	return log
}

func TestATokenIsFoundAcrossTheBlocksOfALog(t *testing.T) {
	token := jwt("at+jwt")
	log := frames(bytes.Repeat([]byte("x"), 32<<10-20), []byte(token))
	if bytes.Contains(log, []byte(token)) {
		t.Fatal("nothing lies between")
	}
	if found := tokensIn(unframed(log)); !slices.Equal(found, []string{token}) {
		t.Errorf("found %q", found)
	}
	if other := []byte("no log at all, but long enough to have a frame"); !bytes.Equal(unframed(other), other) {
		t.Errorf("it became %q", unframed(other))
	}
}

func TestATokenIsFoundInTwoBytesToACharacter(t *testing.T) {
	token := jwt("at+jwt")
	var wide []byte
	for _, c := range []byte(token) {
		wide = append(wide, c, 0)
	}
	text := slices.Concat([]byte{1, 2, 3}, wide, []byte{0xff, 0xff, 0xff}, wide)
	if found := tokensIn(text); len(found) != 2 || found[0] != token {
		t.Errorf("found %q", found)
	}
}

func TestAPrivateKeyIsFoundAmongOtherBytes(t *testing.T) {
	key := newKey()
	form, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	found := keysIn(slices.Concat([]byte{0x30, 0x30, 1}, form, []byte("and so on")))
	if len(found) != 1 || !found[0].Equal(key) {
		t.Errorf("found %d keys", len(found))
	}
}

func TestAForgeryIsNoOtherSpellingOfTheSame(t *testing.T) {
	for name, row := range map[string]struct {
		one, two string
		want     bool
	}{
		"the same":               {"YQ", "YQ", true},
		"bits that mean nothing": {"YQ", "YR", true},
		"another character":      {"YWI", "YWM", false},
		"in a part of three":     {"YWI.YQ.YWI", "YWI.YR.YWI", true},
		"no base64":              {"a ticket", "b ticket", false},
	} {
		if got := sameBytes(row.one, row.two); got != row.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestTextsAsLongAsATicketAreTried(t *testing.T) {
	ticket := "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	text := []byte("name: " + ticket + "; " + ticket[1:] + "; cloakroom:s:" + "01234567890123456789012345678901")
	got := appendTickets(nil, text, len(ticket))
	if !slices.Contains(got, ticket) || slices.Contains(got, ticket[1:]) || !slices.Contains(got, "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE") {
		t.Errorf("got %q", got)
	}
}
