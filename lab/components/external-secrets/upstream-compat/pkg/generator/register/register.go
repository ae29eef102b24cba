// Package register is empty: this build knows no generators of secrets.
package register
