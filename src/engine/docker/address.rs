//! Where the engine is, found the way the docker CLI finds it.
//!
//! The order: the option, `DOCKER_HOST`, the context (`DOCKER_CONTEXT`, then `currentContext` of the
//! CLI's `config.json`), then the first socket there is of the usual ones. It is looked up once: an
//! engine whose socket goes away for a moment must not be exchanged for another one.
//!
//! Borrowed rules: github.com/docker/cli, `cli/command/cli.go` (`resolveContextName`),
//! `cli/context/store` (the layout of a context), `opts/hosts.go` (default ports).

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use hyper::http::uri::Authority;
use rustls::ClientConfig;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::tls;
use crate::engine::registry::{credentials, small_file};
use crate::{
    config::EngineConfig,
    error::{Code, Error, Result},
};

#[cfg(unix)]
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
#[cfg(windows)]
const DEFAULT_HOST: &str = "npipe:////./pipe/docker_engine";

const PLAIN_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// The place one engine is reached at. Shows itself as in `DOCKER_HOST`.
#[derive(Clone)]
pub enum Address {
    /// A unix socket.
    Unix(PathBuf),
    /// A Windows named pipe, as `\\.\pipe\name`.
    Pipe(String),
    /// A host and port, with TLS if there is a configuration for it.
    Tcp {
        /// A name or an IP address, the latter without brackets.
        host: String,
        port: u16,
        tls: Option<Arc<ClientConfig>>,
    },
}

impl Address {
    /// Whether what listens there may be on another machine.
    pub fn is_remote(&self) -> bool {
        matches!(self, Address::Tcp { .. })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix://{}", path.display()),
            Address::Pipe(name) => write!(f, "npipe://{}", name.replace('\\', "/")),
            Address::Tcp { host, port, .. } if host.contains(':') => {
                write!(f, "tcp://[{host}]:{port}")
            }
            Address::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = matches!(self, Address::Tcp { tls: Some(_), .. });
        write!(f, "{self}{}", if tls { " (TLS)" } else { "" })
    }
}

/// What the look-up reads beside the options: the environment, and whether a socket is there.
pub struct Surroundings<'a> {
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    pub exists: &'a dyn Fn(&Path) -> bool,
}

impl Surroundings<'static> {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self { env: &|name| std::env::var_os(name), exists: &|path| path.exists() }
    }
}

impl Surroundings<'_> {
    /// A variable that is set and not empty, as text.
    fn text(&self, name: &str) -> Option<String> {
        let value = (self.env)(name)?.to_string_lossy().into_owned();
        (!value.is_empty()).then_some(value)
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.env)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    fn home(&self) -> Option<PathBuf> {
        self.path(if cfg!(windows) { "USERPROFILE" } else { "HOME" })
    }

    /// The docker CLI's folder.
    pub fn docker_config(&self) -> Option<PathBuf> {
        credentials::folder(self.env)
    }
}

/// How TLS is asked for, before it is known whether the address takes it.
struct TlsWish {
    /// Whether TLS is used on a `tcp://` address.
    wanted: bool,
    verify: bool,
    /// The folder with the certificates, and whether somebody named it (then its files must be there).
    folder: Option<PathBuf>,
    named: bool,
}

impl Address {
    /// Finds the engine.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, naming the option or variable and what it holds: an address that can't be
    /// read, a scheme this package does not speak (`ssh://`), a context or certificate that isn't there.
    pub fn find(config: &EngineConfig, around: &Surroundings<'_>) -> Result<Address> {
        if let Some(address) = Self::named(config, around)? {
            return Ok(address);
        }
        match Self::usual(around).into_iter().next() {
            Some(address) => Ok(address),
            None => parse("the default address", DEFAULT_HOST, &tls_wish(config, around)),
        }
    }

    /// Where the options, the environment or a context say that the engine is; `None`: none of them does.
    ///
    /// # Errors
    ///
    /// As [`Address::find`].
    pub fn named(config: &EngineConfig, around: &Surroundings<'_>) -> Result<Option<Address>> {
        if let Some(host) = &config.host {
            return parse("engine.host", host, &tls_wish(config, around)).map(Some);
        }
        if let Some(host) = around.text("DOCKER_HOST") {
            return parse("DOCKER_HOST", &host, &tls_wish(config, around)).map(Some);
        }
        from_context(config, around)
    }

    /// Those of the usual sockets that are there, the first choice first.
    pub fn usual(around: &Surroundings<'_>) -> Vec<Address> {
        let there = default_hosts(around).into_iter().filter(|path| (around.exists)(path));
        there.map(Address::Unix).collect()
    }

    /// Whether it is one of the usual sockets, which lead to an engine on this machine.
    pub fn is_usual(&self, around: &Surroundings<'_>) -> bool {
        matches!(self, Address::Unix(path) if default_hosts(around).contains(path))
    }
}

/// The sockets looked for when nothing says where the engine is, in this order: Docker, rootless
/// Docker, Docker Desktop, rootless Podman, Podman.
fn default_hosts(around: &Surroundings<'_>) -> Vec<PathBuf> {
    if cfg!(windows) {
        return Vec::new();
    }
    let runtime = around.path("XDG_RUNTIME_DIR");
    let in_runtime = |name: &str| runtime.as_ref().map(|folder| folder.join(name));
    [
        Some(PathBuf::from("/var/run/docker.sock")),
        in_runtime("docker.sock"),
        around.home().map(|home| home.join(".docker/run/docker.sock")),
        in_runtime("podman/podman.sock"),
        Some(PathBuf::from("/run/podman/podman.sock")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn tls_wish(config: &EngineConfig, around: &Surroundings<'_>) -> TlsWish {
    let verify = config.tls_verify.or(around.text("DOCKER_TLS_VERIFY").map(|_| true));
    let named = config.cert_path.clone().map(PathBuf::from).or(around.path("DOCKER_CERT_PATH"));
    TlsWish {
        // The CLI turns TLS on by DOCKER_TLS_VERIFY or DOCKER_TLS; certificates alone don't, unless
        // they were given to this package by name.
        wanted: verify == Some(true)
            || around.text("DOCKER_TLS").is_some()
            || config.cert_path.is_some(),
        verify: verify.unwrap_or(around.text("DOCKER_TLS").is_none()),
        named: named.is_some(),
        folder: named.or_else(|| around.docker_config()),
    }
}

fn parse(source: &str, text: &str, wish: &TlsWish) -> Result<Address> {
    let wrong =
        |why: &str| Error::new(Code::InvalidArgument, format!("{source} is {text:?}: {why}"));
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None if text.starts_with('/') => {
            return Err(wrong(&format!("a socket's address is written unix://{text}")))
        }
        // The CLI takes a bare host:port for tcp.
        None => ("tcp", text),
    };
    match scheme {
        "unix" if cfg!(windows) => {
            Err(wrong("unix sockets are not spoken on Windows; use npipe:////./pipe/docker_engine"))
        }
        "unix" if !rest.starts_with('/') => {
            Err(wrong("a socket needs an absolute path, as in unix:///var/run/docker.sock"))
        }
        "unix" => Ok(Address::Unix(PathBuf::from(rest))),
        "npipe" if !cfg!(windows) => {
            Err(wrong("named pipes exist on Windows only; use unix:///path or tcp://host:port"))
        }
        "npipe" => {
            let name = rest.replace('/', "\\");
            if name.to_ascii_lowercase().starts_with(r"\\.\pipe\") && name.len() > 9 {
                Ok(Address::Pipe(name))
            } else {
                Err(wrong("a pipe's address is written npipe:////./pipe/docker_engine"))
            }
        }
        "tcp" | "http" | "https" => {
            let secure = scheme == "https" || (scheme == "tcp" && wish.wanted);
            let (host, port) = host_and_port(rest).map_err(|why| wrong(&why))?;
            let tls = if secure { Some(tls::client(wish.folder.as_deref(), wish.named, wish.verify)?) } else { None };
            let usual = if secure { TLS_PORT } else { PLAIN_PORT };
            Ok(Address::Tcp { host, port: port.unwrap_or(usual), tls })
        }
        "ssh" => Err(wrong(
            "ssh is not spoken by this package; forward the engine's socket \
             (ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock user@host) and use unix:///tmp/docker.sock",
        )),
        _ => Err(wrong(
            "an address begins with unix://, npipe://, tcp://, http:// or https://",
        )),
    }
}

fn host_and_port(rest: &str) -> Result<(String, Option<u16>), String> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err("a path behind host:port is not supported".to_owned());
    }
    if rest.contains('@') {
        return Err("a user or password in the address is not supported".to_owned());
    }
    // `tcp://:2375` is the local host to the CLI as well.
    let rest = if rest.is_empty() || rest.starts_with(':') {
        format!("127.0.0.1{rest}")
    } else {
        rest.to_owned()
    };
    let authority: Authority = rest.parse().map_err(|_| "host:port can't be read".to_owned())?;
    let host = authority.host();
    let port = match &rest[host.len()..] {
        "" => None,
        port => match port[1..].parse() {
            Ok(port) if port != 0 => Some(port),
            _ => return Err("the port must be a number from 1 to 65535".to_owned()),
        },
    };
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CliConfig {
    current_context: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextMeta {
    #[serde(default)]
    endpoints: ContextEndpoints,
}

#[derive(Deserialize, Default)]
struct ContextEndpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: Option<String>,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

/// The address of the CLI's current context; `None` if that is the one named `default`.
fn from_context(config: &EngineConfig, around: &Surroundings<'_>) -> Result<Option<Address>> {
    let Some(folder) = around.docker_config() else {
        return Ok(None);
    };
    let (source, name) = match around.text("DOCKER_CONTEXT") {
        Some(name) => ("DOCKER_CONTEXT".to_owned(), name),
        None => {
            // A config file that can't be read only costs the CLI a warning; so here.
            let file = folder.join("config.json");
            let current = small_file::read(&file)
                .ok()
                .and_then(|text| serde_json::from_slice::<CliConfig>(&text).ok())
                .and_then(|cli| cli.current_context);
            match current {
                Some(name) if !name.is_empty() => {
                    (format!("currentContext of {}", file.display()), name)
                }
                _ => return Ok(None),
            }
        }
    };
    if name == "default" {
        return Ok(None);
    }
    let wrong = |why: String| {
        Error::new(
            Code::InvalidArgument,
            format!("{source} is {name:?}: {why}; see `docker context ls`, or set engine.host"),
        )
    };
    let key: String =
        Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let meta = folder.join("contexts/meta").join(&key).join("meta.json");
    let text = small_file::read(&meta)
        .map_err(|error| wrong(format!("no such context ({}: {error})", meta.display())))?;
    let meta: ContextMeta = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("{} can't be read: {error}", meta.display())))?;
    let Some(ContextEndpoint { host: Some(host), skip_tls_verify }) = meta.endpoints.docker else {
        return Err(wrong("that context has no Docker endpoint".to_owned()));
    };
    let material = folder.join("contexts/tls").join(&key).join("docker");
    let material = material.is_dir().then_some(material);
    let wish = TlsWish {
        wanted: material.is_some() || skip_tls_verify,
        verify: config.tls_verify.unwrap_or(!skip_tls_verify),
        named: false,
        folder: material,
    };
    parse(&format!("the Docker context {name:?}"), &host, &wish).map(Some)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{collections::HashMap, fs, time::Duration};

    use super::*;
    use crate::{config::KubernetesConfig, engine::EngineKind};

    fn options(host: Option<&str>) -> EngineConfig {
        EngineConfig {
            kind: EngineKind::Docker,
            host: host.map(str::to_owned),
            cert_path: None,
            tls_verify: None,
            timeout: Duration::from_secs(1),
            kubernetes: KubernetesConfig::default(),
        }
    }

    fn find(
        config: &EngineConfig,
        env: &[(&str, &str)],
        sockets: &[&str],
    ) -> Result<String, String> {
        let env: HashMap<_, _> = env.iter().copied().collect();
        Address::find(
            config,
            &Surroundings {
                env: &|name| env.get(name).map(OsString::from),
                exists: &|path| sockets.iter().any(|socket| path == Path::new(socket)),
            },
        )
        .map(|address| format!("{address:?}"))
        .map_err(|error| {
            assert_eq!(error.code, Code::InvalidArgument);
            error.message
        })
    }

    /// A docker CLI folder with one context, whose endpoint is `host`.
    fn cli_folder(context: &str, host: &str, current: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let key: String =
            Sha256::digest(context.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        let meta = folder.path().join("contexts/meta").join(key);
        fs::create_dir_all(&meta).unwrap();
        let text = format!(
            r#"{{"Name":"{context}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":false}}}}}}"#
        );
        fs::write(meta.join("meta.json"), text).unwrap();
        if current {
            let text = format!(r#"{{"auths":{{}},"currentContext":"{context}"}}"#);
            fs::write(folder.path().join("config.json"), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_option_goes_before_everything_else() {
        let env = [("DOCKER_HOST", "tcp://b:1"), ("DOCKER_CONTEXT", "c")];
        assert_eq!(find(&options(Some("unix:///a")), &env, &[]).unwrap(), "unix:///a");
    }

    #[test]
    fn docker_host_goes_before_the_context() {
        let env = [("DOCKER_HOST", "tcp://b:1"), ("DOCKER_CONTEXT", "c")];
        assert_eq!(find(&options(None), &env, &[]).unwrap(), "tcp://b:1");
    }

    #[test]
    fn an_empty_docker_host_counts_as_unset() {
        let env = [("DOCKER_HOST", "")];
        assert_eq!(find(&options(None), &env, &[]).unwrap(), "unix:///var/run/docker.sock");
    }

    #[test]
    fn the_context_of_the_cli_is_followed() {
        let folder = cli_folder("work", "unix:///srv/docker.sock", true);
        let env = [("DOCKER_CONFIG", folder.path().to_str().unwrap())];
        assert_eq!(find(&options(None), &env, &[]).unwrap(), "unix:///srv/docker.sock");
    }

    #[test]
    fn docker_context_names_another_context() {
        let folder = cli_folder("other", "tcp://10.0.0.1", false);
        let env = [("DOCKER_CONFIG", folder.path().to_str().unwrap()), ("DOCKER_CONTEXT", "other")];
        assert_eq!(find(&options(None), &env, &[]).unwrap(), "tcp://10.0.0.1:2375");
    }

    #[test]
    fn the_context_named_default_is_the_default_socket() {
        let folder = cli_folder("work", "unix:///srv/docker.sock", true);
        let env =
            [("DOCKER_CONFIG", folder.path().to_str().unwrap()), ("DOCKER_CONTEXT", "default")];
        assert_eq!(find(&options(None), &env, &[]).unwrap(), "unix:///var/run/docker.sock");
    }

    #[test]
    fn a_context_that_is_not_there_is_named() {
        let folder = cli_folder("work", "unix:///srv/docker.sock", false);
        let env = [("DOCKER_CONFIG", folder.path().to_str().unwrap()), ("DOCKER_CONTEXT", "gone")];
        let message = find(&options(None), &env, &[]).unwrap_err();
        assert!(message.starts_with(r#"DOCKER_CONTEXT is "gone": no such context"#), "{message}");
    }

    #[test]
    fn a_config_file_that_is_not_json_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), "{").unwrap();
        let env = [("DOCKER_CONFIG", folder.path().to_str().unwrap())];
        assert_eq!(find(&options(None), &env, &[]).unwrap(), "unix:///var/run/docker.sock");
    }

    #[test]
    fn the_first_socket_there_is_of_the_usual_ones_is_taken() {
        let env = [("HOME", "/home/u"), ("XDG_RUNTIME_DIR", "/run/user/7")];
        let places = [
            "/var/run/docker.sock",
            "/run/user/7/docker.sock",
            "/home/u/.docker/run/docker.sock",
            "/run/user/7/podman/podman.sock",
            "/run/podman/podman.sock",
        ];
        for (index, place) in places.iter().enumerate() {
            let found = find(&options(None), &env, &places[index..]).unwrap();
            assert_eq!(found, format!("unix://{place}"));
        }
    }

    #[test]
    fn an_address_that_cannot_be_used_is_named_with_its_source() {
        for (text, why) in [
            ("ssh://me@host", "ssh is not spoken"),
            ("/var/run/docker.sock", "written unix:///var/run/docker.sock"),
            ("unix://relative", "absolute path"),
            ("npipe:////./pipe/docker_engine", "Windows only"),
            ("ftp://host", "begins with unix://"),
            ("tcp://host:0", "1 to 65535"),
            ("tcp://host:99999", "1 to 65535"),
            ("tcp://host:1/path", "path behind"),
            ("tcp://me@host:1", "user or password"),
            ("tcp://ho st", "can't be read"),
        ] {
            let message = find(&options(Some(text)), &[], &[]).unwrap_err();
            assert!(message.starts_with(&format!("engine.host is {text:?}: ")), "{message}");
            assert!(message.contains(why), "{message}");
            let message = find(&options(None), &[("DOCKER_HOST", text)], &[]).unwrap_err();
            assert!(message.starts_with(&format!("DOCKER_HOST is {text:?}: ")), "{message}");
        }
    }

    #[test]
    fn ports_are_2375_without_tls_and_2376_with_it() {
        let tls = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CONFIG", "/nowhere")];
        for (text, plain, secure) in [
            ("tcp://h", "tcp://h:2375", "tcp://h:2376 (TLS)"),
            ("h:1", "tcp://h:1", "tcp://h:1 (TLS)"),
            ("tcp://[::1]", "tcp://[::1]:2375", "tcp://[::1]:2376 (TLS)"),
            ("tcp://:1/", "tcp://127.0.0.1:1", "tcp://127.0.0.1:1 (TLS)"),
            ("http://h", "tcp://h:2375", "tcp://h:2375"),
            ("https://h", "tcp://h:2376 (TLS)", "tcp://h:2376 (TLS)"),
        ] {
            assert_eq!(find(&options(Some(text)), &[], &[]).unwrap(), plain);
            assert_eq!(find(&options(Some(text)), &tls, &[]).unwrap(), secure);
        }
    }

    #[test]
    fn certificates_that_were_named_must_be_there() {
        let env = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/nowhere")];
        let message = find(&options(Some("tcp://h")), &env, &[]).unwrap_err();
        assert!(message.contains("/nowhere/ca.pem"), "{message}");
    }
}
