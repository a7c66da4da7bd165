// Command wasm is the SPA as the browser runs it. Without a browser it does nothing.
package main

import (
	"github.com/maxence-charriere/go-app/v10/pkg/app"

	"cloakroom/wasm/api"
	"cloakroom/wasm/ui"
)

func main() {
	ui.Register(api.New(""))
	app.RunWhenOnBrowser()
}
