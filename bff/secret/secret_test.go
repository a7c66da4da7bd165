package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"cloakroom/bff/secret"
)

func TestASecretIsNeverPrinted(t *testing.T) {
	const value = "hunter2-hunter2"
	s := secret.New(value)
	holder := struct {
		S secret.String
		P *secret.String
	}{s, &s}

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "s", s, "holder", holder)
	marshalled, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	for verb, got := range map[string]string{
		"%v": fmt.Sprintf("%v", s), "%+v": fmt.Sprintf("%+v", holder), "%#v": fmt.Sprintf("%#v", holder),
		"%s": fmt.Sprintf("%s", s), "%q": fmt.Sprintf("%q", s), "%x": fmt.Sprintf("%x", s), "%d": fmt.Sprintf("%d", s),
		"error": fmt.Errorf("with %v", s).Error(), "json": string(marshalled), "slog": log.String(),
	} {
		if strings.Contains(got, value) || strings.Contains(got, fmt.Sprintf("%x", value)) {
			t.Errorf("%s shows the secret: %s", verb, got)
		}
	}
	if s.Reveal() != value || s.Empty() || s.Len() != len(value) || len(s.Fingerprint()) != 8 {
		t.Error("a secret must still be usable")
	}
}

// TestASecretMayBeWrittenInAnotherForm, and is none the less a secret.
func TestASecretMayBeWrittenInAnotherForm(t *testing.T) {
	read := 0
	backwards := &secret.Form{Read: func(written string) string {
		read++
		letters := []byte(written)
		slices.Reverse(letters)
		return string(letters)
	}}
	s := secret.Written(backwards, "2retnuh")
	if read > 0 || s.Empty() || s.Reveal() != "hunter2" || s.Len() != 7 || s.Fingerprint() != secret.New("hunter2").Fingerprint() {
		t.Errorf("it is %q of %d, read %d times", s.Reveal(), s.Len(), read)
	}
	for _, s := range []secret.String{s, s.Read()} {
		if written, ok := s.As(backwards); !ok || written != "2retnuh" {
			t.Errorf("written it is %q, %v", written, ok)
		}
		if _, ok := s.As(&secret.Form{}); ok {
			t.Error("it is in a form that it was not given in")
		}
		if shown := fmt.Sprintf("%v %+v %#v %x", s, s, s, s); strings.Contains(shown, "retnuh") || strings.Contains(shown, "hunter") {
			t.Errorf("it shows: %s", shown)
		}
	}
	before := read
	at := s.Read()
	for range 2 {
		if text := at.Reveal(); text != "hunter2" || read != before+1 {
			t.Errorf("what was read is %q, read %d times", text, read-before)
		}
	}
	if _, ok := secret.New("x").As(nil); ok {
		t.Error("the text as it is is no form")
	}
	if empty := secret.Written(backwards, ""); !empty.Empty() || empty.Reveal() != "" {
		t.Error("what is empty in a form is not empty")
	}
}
