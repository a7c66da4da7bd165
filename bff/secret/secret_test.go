package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
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
