//! What the processes of a container are told of the proxy on their loopback.

/// Where it listens, in every container that has one.
pub const PROXY_PORT: u16 = 3128;
/// What is reached without it.
const DIRECT: &str = "localhost,127.0.0.1,::1";
/// The variables in which clients look for a proxy; each is also there in lower case, and some read that alone.
const OF_CLIENTS: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];

/// Its variables, `NAME=value`. Every process of a container begins with them, so that no call has to set them.
pub fn environment() -> Vec<String> {
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    let of_clients = OF_CLIENTS.iter().map(|name| (*name, proxy.as_str()));
    let all = of_clients.chain([("NO_PROXY", DIRECT)]);
    all.flat_map(|(name, value)| {
        [format!("{name}={value}"), format!("{}={value}", name.to_ascii_lowercase())]
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_is_there_in_both_spellings() {
        let variables = environment();
        for name in ["HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            assert!(variables.contains(&format!("{name}=http://127.0.0.1:3128")), "{name}");
        }
        for name in ["NO_PROXY", "no_proxy"] {
            assert!(variables.contains(&format!("{name}={DIRECT}")), "{name}");
        }
    }
}
