package main

import (
	"errors"
	"flag"
	"fmt"
	"reflect"
	"time"
)

// usage is how people and machines are taken to be. Nothing of it is measured:
// each is a flag, and is printed.
type usage struct {
	Active   float64       `json:"active" flag:"active" value:"0.1" about:"share of sessions that are used in a given minute"`
	Calls    float64       `json:"calls" flag:"calls" value:"6" about:"calls of such a session in that minute"`
	Burst    float64       `json:"burst" flag:"burst" value:"3" about:"of which so many come together, since a page makes them"`
	Life     time.Duration `json:"life_ns" flag:"life" value:"8h" about:"a session lasts so long on average"`
	Token    time.Duration `json:"token_ns" flag:"token" value:"5m" about:"an access token is renewed by the first call after so long"`
	Touch    time.Duration `json:"touch_ns" flag:"touch" value:"1m30s" about:"a call writes when the last one was noted so long ago (a twentieth of idle_timeout, five minutes at most)"`
	MaxAge   time.Duration `json:"max_age_ns" flag:"max-age" value:"2s" about:"near_cache.max_age"`
	Request  float64       `json:"request_bytes" flag:"request-bytes" value:"700" about:"bytes of a request without its session cookies"`
	Answer   float64       `json:"answer_bytes" flag:"answer-bytes" value:"1500" about:"bytes of an answer with its header (the measured ones have 1 KiB of body)"`
	Cores    float64       `json:"cores" flag:"cores" value:"4" about:"cores of an instance"`
	Memory   float64       `json:"memory_gb" flag:"memory" value:"16" about:"GB of memory of an instance"`
	Shard    float64       `json:"shard_gb" flag:"shard" value:"16" about:"GB of memory of a Redis server"`
	Shards   float64       `json:"shards" flag:"shards" value:"500" about:"primaries of a Redis Cluster at most (1,000 nodes, says its specification, half of them replicas)"`
	Clients  float64       `json:"clients" flag:"redis-clients" value:"10000" about:"connections of a Redis server at most (its default)"`
	Sockets  float64       `json:"sockets" flag:"redis-connections" value:"1" about:"connections of an instance to each server of a Cluster (rueidis' default; to a single one 4)"`
	SQLCores float64       `json:"sql_cores" flag:"sql-cores" value:"32" about:"cores of the PostgreSQL server"`
	SQLConns float64       `json:"sql_connections" flag:"sql-connections" value:"1000" about:"connections of the PostgreSQL server (100 are its default)"`
	SQLPool  float64       `json:"sql_pool" flag:"sql-pool" value:"16" about:"connections of an instance to it (Cloakroom's default)"`
	Full     float64       `json:"full" flag:"full" value:"0.75" about:"share of memory that may be used"`
	Network  float64       `json:"network_gbit" flag:"network" value:"10" about:"Gbit/s of every machine, the balancer's too"`
	Provider float64       `json:"provider" flag:"provider" value:"1000" about:"token requests a second that the provider serves: ask yours"`
	Delay    time.Duration `json:"provider_delay_ns" flag:"provider-delay" value:"50ms" about:"it takes so long for one"`
	Outage   time.Duration `json:"outage_ns" flag:"outage" value:"10m" about:"nothing worked for so long, before everybody comes back"`
	Deploy   time.Duration `json:"deploy_ns" flag:"deploy" value:"10m" about:"a rolling deploy takes so long"`
	Ceiling  float64       `json:"ceiling" flag:"ceiling" value:"0" about:"how busy instances, stores and the provider may be, 0 to 1; 0: as the simulation finds"`
	Stretch  float64       `json:"stretch" flag:"stretch" value:"3" about:"p99 may be so many times that of an idle one, when a third of the instances is gone"`
}

// fields calls f with each field, and what its flag is.
func (u *usage) fields(f func(name, preset, about string, value any)) {
	fields := reflect.ValueOf(u).Elem()
	for i := range fields.NumField() {
		tag := fields.Type().Field(i).Tag
		f(tag.Get("flag"), tag.Get("value"), tag.Get("about"), fields.Field(i).Addr().Interface())
	}
}

// define makes the flags.
func (u *usage) define(flags *flag.FlagSet) error {
	var failed error
	u.fields(func(name, preset, about string, value any) {
		switch value := value.(type) {
		case *float64:
			flags.Float64Var(value, name, 0, about)
		case *time.Duration:
			flags.DurationVar(value, name, 0, about)
		}
		made := flags.Lookup(name)
		made.DefValue = preset
		failed = errors.Join(failed, made.Value.Set(preset))
	})
	return failed
}

func (u *usage) check() (err error) {
	u.fields(func(name, _, _ string, value any) {
		wrong := false
		switch value := value.(type) {
		case *float64:
			wrong = *value <= 0 && name != "ceiling" || *value < 0
		case *time.Duration:
			wrong = *value <= 0
		}
		if wrong {
			err = errors.Join(err, fmt.Errorf("-%s must be more than nothing", name))
		}
	})
	for name, share := range map[string]float64{"active": u.Active, "full": u.Full, "ceiling": u.Ceiling} {
		if share > 1 {
			err = errors.Join(err, fmt.Errorf("-%s is a share, 1 at most", name))
		}
	}
	if u.Burst > 0 && u.Burst < 1 {
		err = errors.Join(err, errors.New("-burst is 1 at least"))
	}
	return err
}

// rates are what so many sessions do in a second.
type rates struct {
	Calls    float64 `json:"calls"`
	Touches  float64 `json:"touches"`
	Renewals float64 `json:"renewals"`
	SignIns  float64 `json:"sign_ins"`
	// Writes are updates of a session, and its end; it is created by a sign-in.
	Writes float64 `json:"writes"`
}

const minute = 60.0

// rates of so many sessions. Minutes of use are spread at random, so a token that
// has run out is renewed in the next of them. A renewal writes twice: its lease,
// and the tokens (bff/refresh).
func (u *usage) rates(sessions float64) rates {
	active := sessions * u.Active
	r := rates{
		Calls:    active * u.Calls / minute,
		Touches:  active * min(u.Calls/minute, 1/u.Touch.Seconds()),
		Renewals: sessions / (u.Token.Seconds() + minute/u.Active),
		SignIns:  sessions / u.Life.Seconds(),
	}
	r.Writes = r.Touches + 2*r.Renewals + r.SignIns
	return r
}

// missRate is the share of calls that a near cache cannot answer: the first of a
// burst, unless the burst before was less than MaxAge ago. Bursts are Poisson.
func (u *usage) missRate() float64 {
	burst := min(u.Burst, u.Calls)
	pages := u.Calls / burst / minute
	return 1 / burst / (1 + pages*u.MaxAge.Seconds())
}
