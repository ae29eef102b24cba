// Package register names the one provider of secrets this build knows: Vault's API. Upstream's file of the same name imports
// some forty of them, with every cloud's SDK; the controllers import the package only for the effect of those imports.
package register

import (
	_ "github.com/external-secrets/external-secrets/pkg/provider/vault" // registers itself
)
