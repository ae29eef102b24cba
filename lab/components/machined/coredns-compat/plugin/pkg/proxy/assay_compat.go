package proxy

// Close ends the health checks of p, as Talos' host DNS expects; idle connections go with the transport.
func (p *Proxy) Close() { p.Stop() }
