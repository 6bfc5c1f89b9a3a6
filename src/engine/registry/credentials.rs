//! Credentials for a registry, from where the docker CLI keeps them: `config.json` in `DOCKER_CONFIG`
//! or `~/.docker`, itself or through the helper programs it names.

use std::{
    ffi::OsString,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{engine::general_purpose::URL_SAFE, Engine as _};
use docker_credential::{get_credential_from_reader, CredentialRetrievalError, DockerCredential};
use serde_json::{json, Map, Value};

use super::{helper, small_file};

/// The longest a helper program may take.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);

/// What was found for a registry.
#[derive(Default)]
pub struct Credentials {
    pub found: Option<DockerCredential>,
    /// Why credentials that seem to be configured could not be had. The pull goes on without them, as
    /// the CLI's does: the image may well be public.
    pub warning: Option<String>,
}

impl Credentials {
    /// The value of the `X-Registry-Auth` header, for what is filed under `key`.
    pub fn header(&self, key: &str) -> Option<String> {
        self.found.as_ref().map(|found| header(found, key))
    }

    fn unusable(key: &str, why: &str) -> Self {
        let warning =
            format!("the credentials for {key} in Docker's config.json could not be used: {why}");
        Self { found: None, warning: Some(warning) }
    }
}

/// The docker CLI's folder, by the variables of a process: `DOCKER_CONFIG`, or `.docker` in the home folder.
pub fn folder(env: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    path("DOCKER_CONFIG").or_else(|| Some(path(home)?.join(".docker")))
}

/// Looks up the credentials filed under `key` in the CLI's folder. Helpers are programs, so this
/// happens on a thread that may block.
pub async fn find(folder: Option<std::path::PathBuf>, key: String) -> Credentials {
    let Some(folder) = folder else {
        return Credentials::default();
    };
    let what = key.clone();
    let looking = tokio::task::spawn_blocking(move || read(&folder, &key));
    // On a system without process groups nothing else bounds a helper.
    let why = match tokio::time::timeout(HELPER_TIMEOUT * 2, looking).await {
        Ok(Ok(found)) => return found,
        Ok(Err(panicked)) => panicked.to_string(),
        Err(_) => format!("no answer within {:?}", HELPER_TIMEOUT * 2),
    };
    Credentials::unusable(&what, &why)
}

fn read(folder: &Path, key: &str) -> Credentials {
    match filed(folder, key) {
        Ok(found) => Credentials { found, warning: None },
        Err(why) => Credentials::unusable(key, &why),
    }
}

/// In the CLI's order: the registry's own helper, what the file itself has, the helper for all.
fn filed(folder: &Path, key: &str) -> Result<Option<DockerCredential>, String> {
    let path = folder.join("config.json");
    let unreadable = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let text = match small_file::read(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None)
        }
        Err(error) => return Err(unreadable(&error)),
    };
    let mut config: Map<String, Value> =
        serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
    // Taken out, so that the library below runs no program: it would wait for one for ever.
    let helpers = config.remove("credHelpers");
    let store = config.remove("credsStore");
    let named = |name: &'_ Value| name.as_str().filter(|name| !name.is_empty()).map(str::to_owned);
    if let Some(name) = helpers.and_then(|all| all.get(key).and_then(named)) {
        return helper::get(&name, key, HELPER_TIMEOUT);
    }
    let rest = Value::Object(config).to_string();
    match get_credential_from_reader(rest.as_bytes(), key) {
        Ok(credential) => Ok(Some(credential)),
        Err(CredentialRetrievalError::NoCredentialConfigured) => {
            match store.as_ref().and_then(named) {
                Some(name) => helper::get(&name, key, HELPER_TIMEOUT),
                None => Ok(None),
            }
        }
        Err(error) => Err(unreadable(&error)),
    }
}

/// The engine decodes the URL-safe alphabet, padded (github.com/moby/moby, `registry/auth`).
fn header(credential: &DockerCredential, key: &str) -> String {
    let auth = match credential {
        DockerCredential::IdentityToken(token) => {
            json!({ "identitytoken": token, "serveraddress": key })
        }
        DockerCredential::UsernamePassword(name, password) => {
            json!({ "username": name, "password": password, "serveraddress": key })
        }
    };
    URL_SAFE.encode(auth.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(config: &str, key: &str) -> Credentials {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), config).unwrap();
        read(folder.path(), key)
    }

    fn decoded(credentials: &Credentials) -> serde_json::Value {
        let header = credentials.header("h.io").unwrap();
        serde_json::from_slice(&URL_SAFE.decode(header).unwrap()).unwrap()
    }

    #[test]
    fn a_name_and_password_in_the_file_are_used() {
        // "dXNlcjpwYXNz" is "user:pass".
        let found = found(r#"{"auths":{"h.io":{"auth":"dXNlcjpwYXNz"}}}"#, "h.io");
        assert_eq!(decoded(&found)["username"], "user");
        assert_eq!(decoded(&found)["password"], "pass");
        assert_eq!(decoded(&found)["serveraddress"], "h.io");
    }

    #[test]
    fn an_identity_token_in_the_file_is_used() {
        let found = found(r#"{"auths":{"h.io":{"identitytoken":"t"}}}"#, "h.io");
        assert_eq!(decoded(&found)["identitytoken"], "t");
    }

    #[test]
    fn the_header_has_the_url_safe_alphabet() {
        let password = DockerCredential::UsernamePassword("u".into(), "???>>>~~~ÿÿÿ".into());
        let header = header(&password, "h.io");
        assert!(!header.contains(['+', '/']) && header.contains(['-', '_']), "{header}");
    }

    #[test]
    fn none_for_the_registry_is_no_failure() {
        for credentials in [found(r#"{"auths":{}}"#, "h.io"), read(Path::new("/nowhere"), "h.io")] {
            assert!(credentials.found.is_none() && credentials.warning.is_none());
        }
    }

    #[test]
    fn a_helper_that_is_not_there_is_a_warning() {
        for config in [r#"{"credHelpers":{"h.io":"of-nobody"}}"#, r#"{"credsStore":"of-nobody"}"#] {
            let found = found(config, "h.io");
            assert!(found.found.is_none());
            let warning = found.warning.unwrap();
            assert!(warning.contains("h.io") && warning.contains("of-nobody"), "{warning}");
        }
    }

    #[test]
    fn what_the_file_has_comes_before_the_helper_for_all() {
        let config = r#"{"auths":{"h.io":{"auth":"dXNlcjpwYXNz"}},"credsStore":"of-nobody"}"#;
        assert_eq!(decoded(&found(config, "h.io"))["username"], "user");
    }

    #[test]
    fn the_helper_of_the_registry_comes_before_what_the_file_has() {
        let config =
            r#"{"auths":{"h.io":{"auth":"dXNlcjpwYXNz"}},"credHelpers":{"h.io":"of-nobody"}}"#;
        assert!(found(config, "h.io").warning.unwrap().contains("of-nobody"));
    }

    #[test]
    fn a_config_file_that_is_not_json_is_a_warning() {
        assert!(found("{", "h.io").warning.unwrap().contains("config.json: EOF"));
    }
}
