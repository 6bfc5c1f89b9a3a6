//! From a name to a connection. What a name resolves to is looked up once, checked, and connected to as it was
//! checked: a second look-up could give another address.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tokio::{
    net::{lookup_host, TcpStream},
    time::timeout,
};

use crate::{address, host::Host, rules::Rules};

/// Gives the addresses of a name.
pub type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// That of this machine.
pub fn system() -> Resolve {
    Arc::new(|name| {
        Box::pin(async move {
            let found = lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Why there is no connection.
pub enum Obstacle {
    /// It is not allowed.
    Refused(String),
    /// It did not come about.
    Failed(String),
}

/// Connects to a host that is allowed. `outright`: the entry that allows it names this very address.
pub async fn connect(
    rules: &Rules,
    resolve: &Resolve,
    host: &Host,
    port: u16,
    outright: bool,
) -> Result<TcpStream, Obstacle> {
    let work = async {
        let addresses = addresses(rules, resolve, host, port, outright).await?;
        let mut last = None;
        for address in addresses {
            match TcpStream::connect(SocketAddr::new(address, port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        let why = last.map_or("it has no address".to_owned(), |error| error.to_string());
        Err(Obstacle::Failed(format!("{host}:{port} can't be reached: {why}")))
    };
    let stream = timeout(rules.limits.connect, work).await.unwrap_or_else(|_| {
        Err(Obstacle::Failed(format!("{host}:{port} can't be reached in time")))
    })?;
    // What comes is passed on at once, whatever its size.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn addresses(
    rules: &Rules,
    resolve: &Resolve,
    host: &Host,
    port: u16,
    outright: bool,
) -> Result<Vec<IpAddr>, Obstacle> {
    let given = rules.given(host);
    let found = match (given, host) {
        (Some(address), _) => vec![address],
        (None, Host::Address(address)) => vec![*address],
        (None, Host::Name(name)) => resolve(name.clone())
            .await
            .map_err(|error| Obstacle::Failed(format!("{host} can't be resolved: {error}")))?,
    };
    let outright = outright || given.is_some();
    let why = |address: IpAddr| {
        if let Some(why) = rules.denial(address, port) {
            return Some(format!("{host} leads to {address}: {why}"));
        }
        let what = address::special(address)
            .or_else(|| address::is_own(address).then_some("one of this machine's"));
        let what = what.filter(|_| !outright)?;
        Some(format!("{host} leads to {address}, which is {what}; network.hosts can name it"))
    };
    let (mut open, mut refused) = (Vec::new(), None);
    for address in found {
        match why(address) {
            None => open.push(address),
            Some(why) => refused = Some(why),
        }
    }
    match refused {
        Some(why) if open.is_empty() => Err(Obstacle::Refused(why)),
        _ => Ok(open),
    }
}
