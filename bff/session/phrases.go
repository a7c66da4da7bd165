package session

import "strings"

// What is in every session is worth little room: the names of claims, the text of
// JSON around them, how browsers call themselves. Each of these phrases is written
// as one byte, 0x80 and above.
//
// This is no compression: the phrases are the same for everybody and known, none
// is learned from the text. How long the result is tells of each text what its
// own length tells, and never whether two texts in a session are alike, which is
// what betrays the contents of what is compressed and then encrypted (RFC 8725
// §3.6).
//
// The place of a phrase is its byte: the list is only ever added to, and holds 128
// at most. What an older instance does not know is ErrNotFound to it.
var phrases = [...]string{
	// the head of a JWT (RFC 7515 §4.1, RFC 9068 §2.1)
	`{"alg":"RS256"`, `{"alg":"ES256"`, `{"alg":"PS256"`, `{"alg":"EdDSA"`, `{"alg":"`, `"alg":"RS256"`, `,"kid":"`, `{"kid":"`,
	`,"typ":"JWT"`, `,"typ":"at+jwt"`, `{"typ":"JWT"`, `{"typ":"at+jwt"`, `,"typ" : "JWT"`, `{"alg":"RS256","typ" : "JWT","kid" : "`, `,"x5t":"`,

	// registered claims (RFC 7519 §4.1, OIDC Core §2 and §3.1.3.6, RFC 8693 §4, RFC 9068 §2.2)
	`{"iss":"https://`, `,"iss":"https://`, `,"iss":"http://`, `,"sub":"`, `{"sub":"`, `,"aud":"`, `,"aud":["`, `{"aud":"`, `{"aud":["`,
	`,"exp":1`, `{"exp":1`, `,"iat":1`, `,"nbf":1`, `,"jti":"`, `{"jti":"`, `,"auth_time":1`, `,"nonce":"`, `,"acr":"`, `,"acr":"1"`,
	`{"acr":"`, `,"amr":["`, `{"amr":["pwd"]`, `{"amr":["`, `,"azp":"`, `,"sid":"`, `,"at_hash":"`, `{"at_hash":"`, `,"c_hash":"`,
	`,"client_id":"`, `,"scope":"openid `, `,"scope":"`, `"],"scope":"`, `"],"exp":1`, `"],"iat":1`, `"],"iss":"https://`, `"],"auth_time":1`,

	// who somebody is (OIDC Core §5.1)
	`,"name":"`, `,"given_name":"`, `,"family_name":"`, `,"preferred_username":"`, `,"nickname":"`, `,"email":"`, `,"email_verified":true`,
	`,"email_verified":false`, `,"picture":"https://`, `,"locale":"`, `,"zoneinfo":"`, `,"updated_at":`,

	// what they may do, at some providers
	`,"resource_access":{"`, `,"realm_access":{"roles":["`, `":{"roles":["`, `"]},"`, `"]}}`, `"]}`, `,"roles":["`, `,"groups":["`,
	`,"allowed-origins":["https://`, `"default-roles-`, `"offline_access"`, `"uma_authorization"`, `"manage-account`, `"view-profile"`, `"account"`,
	`/realms/`, `,"session_state":"`, `,"tid":"`, `,"oid":"`, `,"upn":"`, `,"ver":"2.0"`, `,"permissions":["`, `login.microsoftonline.com/`, `.auth0.com/`,
	`,"org_id":"`, `,"uid":"`, `,"cid":"`, `,"scp":["`, `,"scp":"`,

	// the claims that a session keeps
	`[{"type":"sub","value":"`, `"},{"type":"`, `","value":"`, `","value":`, `},{"type":"`, `"}]`, `}]`,
	`name","value":"`, `email","value":"`, `preferred_username","value":"`, `email_verified","value":true`, `sid","value":"`,

	// browsers, and what is left
	`Mozilla/5.0 (`, `Windows NT 10.0; Win64; x64) `, `Macintosh; Intel Mac OS X 10_15_7) `, `X11; Linux x86_64) `,
	`AppleWebKit/537.36 (KHTML, like Gecko) Chrome/`, `.0.0.0 Safari/537.36`,
	`https://`, `","`, `":"`, ` profile email`, ` offline_access`, `.com`, `example`,
}

// literal comes before a byte of the text that would mean something else.
const (
	literal     = 0x01
	firstPhrase = 0x80
)

// byStart finds the phrases that begin with two bytes, by a number that starts
// has of the pair: most pairs begin none, and are passed over.
var starts, byStart = func() (*[1 << 16]uint8, [][]byte) {
	starts, found := new([1 << 16]uint8), [][]byte{nil}
	for i, phrase := range phrases {
		start := &starts[pair(phrase)]
		if *start == 0 {
			*start = uint8(len(found))
			found = append(found, nil)
		}
		found[*start] = append(found[*start], byte(firstPhrase+i))
	}
	return starts, found
}()

func pair(text string) uint16 { return uint16(text[0])<<8 | uint16(text[1]) }

func escaped(c byte) bool { return c >= firstPhrase || c == literal }

// appendPhrased appends text in as few bytes as it can be said in.
func appendPhrased(b []byte, text string) []byte {
	// step[i] is how the shortest way of saying text[i:], which takes rest[i] bytes,
	// begins: with a phrase, or with text[i].
	step, rest := make([]byte, len(text)), make([]int32, len(text)+1)
	for i := len(text) - 1; i >= 0; i-- {
		rest[i] = rest[i+1] + 1
		if escaped(text[i]) {
			rest[i]++
		}
		if i+1 == len(text) {
			continue
		}
		for _, code := range byStart[starts[pair(text[i:])]] {
			if phrase := phrases[code-firstPhrase]; strings.HasPrefix(text[i:], phrase) && rest[i+len(phrase)]+1 < rest[i] {
				step[i], rest[i] = code, rest[i+len(phrase)]+1
			}
		}
	}
	for i := 0; i < len(text); {
		switch code := step[i]; {
		case code != 0:
			b = append(b, code)
			i += len(phrases[code-firstPhrase])
			continue
		case escaped(text[i]):
			b = append(b, literal)
		}
		b = append(b, text[i])
		i++
	}
	return b
}

// plainLen is the length of the text that said stands for. It fails for what
// appendPhrased does not make.
func plainLen(said string) (int, error) {
	n := 0
	for {
		plain := plainRun(said)
		n += plain
		switch said = said[plain:]; {
		case said == "":
			return n, nil
		case said[0] != literal && int(said[0]-firstPhrase) < len(phrases):
			n += len(phrases[said[0]-firstPhrase])
			said = said[1:]
		case said[0] == literal && len(said) > 1:
			n++
			said = said[2:]
		default:
			return 0, errEncoding
		}
	}
}

// appendPlain reverses appendPhrased. said has a plainLen.
func appendPlain(b []byte, said string) []byte {
	for {
		plain := plainRun(said)
		b = append(b, said[:plain]...)
		switch said = said[plain:]; {
		case said == "":
			return b
		case said[0] == literal:
			b = append(b, said[1])
			said = said[2:]
		default:
			b = append(b, phrases[said[0]-firstPhrase]...)
			said = said[1:]
		}
	}
}

// plainRun is how many bytes of said stand for themselves before one does not. It
// looks at eight at a time: between phrases there are mostly keys and signatures.
func plainRun(said string) (n int) {
	const each, top = 0x0101010101010101, 0x8080808080808080
	for ; len(said)-n >= 8; n += 8 {
		s := said[n : n+8]
		eight := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		// A top bit stays where a byte has one, and where it is the literal.
		if (eight|((eight^literal*each)-each))&top != 0 {
			break
		}
	}
	for n < len(said) && !escaped(said[n]) {
		n++
	}
	return n
}
