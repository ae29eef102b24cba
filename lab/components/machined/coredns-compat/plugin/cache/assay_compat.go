package cache

import (
	"time"

	upstream "github.com/coredns/coredns/plugin/pkg/cache"
)

// Option changes a Cache at construction. Talos' host DNS builds its cache with options; the upstream release has no such constructor.
type Option func(*Cache)

// WithNegativeTTL bounds how long a negative answer may be kept.
func WithNegativeTTL(longest, shortest time.Duration) Option {
	return func(c *Cache) {
		c.nttl = longest
		c.minnttl = shortest
	}
}

// NewCache returns a Cache for the named zones and view with every option applied.
func NewCache(zones, view string, options ...Option) *Cache {
	c := New()
	c.zonesMetricLabel = zones
	c.viewMetricLabel = view
	for _, apply := range options {
		apply(c)
	}
	return c
}

// Clear forgets every cached answer, positive and negative.
func (c *Cache) Clear() {
	c.pcache = upstream.New[*item](c.pcap)
	c.ncache = upstream.New[*item](c.ncap)
}
