package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"cloakroom/bff/secret"
	"cloakroom/shared/problem"
)

// answer is what an endpoint said, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// post sends form to one of the provider's endpoints, as this client and, when
// there is a key, with a proof that it holds it (RFC 9449 §5). A provider that
// wants its nonce in the proof is asked once more (§8).
func (p *Provider) post(
	ctx context.Context, provider *metadata, verb, endpoint string, form url.Values, key secret.String,
) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	got, err := p.postOnce(ctx, provider, verb, endpoint, form, key)
	if err == nil && !key.Empty() && got.wantsNonce() {
		got, err = p.postOnce(ctx, provider, verb, endpoint, form, key)
	}
	return got, err
}

// postOnce makes the proofs anew: each is good for one request.
func (p *Provider) postOnce(
	ctx context.Context, provider *metadata, verb, endpoint string, form url.Values, key secret.String,
) (answer, error) {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	form = maps.Clone(form)
	if err := p.authenticate(provider, header, form); err != nil {
		return answer{}, fail(problem.Internal, verb, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, fail(problem.Internal, verb, errors.New("the request cannot be made"))
	}
	req.Header = header
	return p.do(verb, req, key, secret.String{})
}

// do sends one request, proves possession of key if there is one, and keeps the
// nonce of the answer.
func (p *Provider) do(verb string, req *http.Request, key, access secret.String) (answer, error) {
	if !key.Empty() {
		proof, err := newProof(key, req.Method, req.URL, access, p.nonces.load(req.URL), p.now())
		if err != nil {
			return answer{}, fail(problem.Internal, verb, err)
		}
		req.Header.Set("DPoP", proof.Reveal())
	}
	resp, err := p.endpoints.Do(req)
	if err != nil {
		code, cause, _ := wire(err) // Do returns nothing but *url.Error
		return answer{}, fail(code, verb, cause)
	}
	defer resp.Body.Close()
	p.nonces.store(req.URL, resp.Header)
	body, err := io.ReadAll(resp.Body)
	if err != nil { // bounded has read it all
		return answer{}, fail(problem.ProviderUnavailable, verb, io.ErrUnexpectedEOF)
	}
	return answer{resp.StatusCode, resp.Header, body}, nil
}

// complaint is an error response (RFC 6749 §5.2).
type complaint struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (a answer) complaint() complaint {
	var c complaint
	if json.Unmarshal(a.body, &c) != nil {
		return complaint{}
	}
	return c
}

// endpointError is what came instead of what was asked for. secrets are what was
// sent.
func (p *Provider) endpointError(verb string, a answer, secrets ...string) error {
	c := a.complaint()
	return fail(problem.ProviderError, verb, fmt.Errorf("HTTP %d: %w", a.status,
		said(c.Error, c.Description, append(secrets, p.clientSecret.Reveal())...)))
}
