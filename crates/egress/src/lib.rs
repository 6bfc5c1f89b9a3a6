//! A proxy that lets out of a container what a list of names allows, and nothing else.
//!
//! It knows no container: it is given streams, and answers on each as an HTTP proxy does, to `CONNECT` and to
//! requests in absolute form. What it allows it reaches from here.
//!
//! ```text
//! host.rs      a host, in the one form in which hosts are compared
//! pattern.rs   an entry of a list of hosts
//! rules.rs     what is allowed, by the lists of a pool and of the calls under way
//! address.rs   which addresses no name may lead to
//! nameserver.rs  names, asked of one DNS server
//! trust.rs     whom TLS is believed that it is who it says
//! upstream.rs  from a name to a connection: resolved once, checked, and connected to as it was checked
//! secret.rs    values that a container does not have, and what stands for them there
//! replace.rs   bytes put in the place of others, in what comes in pieces
//! spelling.rs  how a text is written within others
//! customs.rs   what becomes of secrets in requests and in answers
//! sealed.rs    a tunnel whose TLS ends here, as its host has secrets
//! authority.rs the certificates that are shown there
//! hello.rs     whom the beginning of a TLS connection is meant for
//! proxy.rs     one connection to the proxy: its request, or its tunnel
//! work.rs      what goes on beside an answer
//! meter.rs     what goes through, counted and bounded
//! record.rs    what is told of it
//! lease.rs     the connections of one container
//! ```

mod address;
mod authority;
mod customs;
mod hello;
mod host;
mod lease;
mod meter;
mod nameserver;
mod pattern;
mod proxy;
mod record;
mod replace;
mod rules;
mod sealed;
mod secret;
mod spelling;
mod trust;
mod upstream;
mod work;

pub use lease::{Egress, Lease, Narrowing};
pub use record::Record;
pub use rules::{BadRule, Limits, Rules, Settings};
pub use secret::{Place, SecretSettings};
pub use trust::Trust;
pub use upstream::Resolve;

/// What takes bytes from outside, for `fuzz/`.
#[cfg(feature = "fuzzing")]
pub mod outside {
    pub use crate::{
        hello::{end, protocols, read, second, Hello},
        host::{split, Host},
        replace::{Needle, Needles, Replacing},
    };
}
