package idp

import (
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// answerEncoder writes the parameters of every authorization response, good or
// bad, and adds `iss` to them (RFC 9207 §2).
type answerEncoder struct {
	httphelper.Encoder
	p *Provider
}

func (e answerEncoder) Encode(src any, dst map[string][]string) error {
	if err := e.Encoder.Encode(src, dst); err != nil {
		return err
	}
	dst["iss"] = []string{e.p.cfg.Issuer}
	if effect := e.p.gate.effect(); effect.answer != nil {
		effect.answer(dst)
	}
	return nil
}

// authorizer is op's provider with that encoder.
type authorizer struct {
	*op.Provider
	encoder answerEncoder
}

func (a authorizer) Encoder() httphelper.Encoder { return a.encoder }
