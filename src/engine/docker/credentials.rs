//! Credentials for a registry, from where the docker CLI keeps them: `config.json` in `DOCKER_CONFIG`
//! or `~/.docker`, itself or through the helper programs it names.

use std::{fs::File, io::BufReader, path::Path, time::Duration};

use base64::{engine::general_purpose::URL_SAFE, Engine as _};
use docker_credential::{get_credential_from_reader, CredentialRetrievalError, DockerCredential};
use serde_json::json;

/// The longest a helper program may take.
const HELPER_TIMEOUT: Duration = Duration::from_secs(30);

/// What was found for a registry.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Credentials {
    /// The value of the `X-Registry-Auth` header.
    pub header: Option<String>,
    /// Why credentials that seem to be configured could not be had. The pull goes on without them, as
    /// the CLI's does: the image may well be public.
    pub warning: Option<String>,
}

/// Looks up the credentials filed under `key` in the CLI's folder. Helpers are programs, so this
/// happens on a thread that may block.
pub(super) async fn find(folder: Option<std::path::PathBuf>, key: String) -> Credentials {
    let Some(folder) = folder else {
        return Credentials::default();
    };
    let what = key.clone();
    let lookup = tokio::task::spawn_blocking(move || read(&folder, &key));
    let warning = match tokio::time::timeout(HELPER_TIMEOUT, lookup).await {
        Ok(Ok(found)) => return found,
        Ok(Err(panicked)) => panicked.to_string(),
        Err(_) => format!("no answer within {} s", HELPER_TIMEOUT.as_secs()),
    };
    Credentials { header: None, warning: Some(unusable(&what, &warning)) }
}

fn read(folder: &Path, key: &str) -> Credentials {
    let Ok(file) = File::open(folder.join("config.json")) else {
        return Credentials::default();
    };
    match get_credential_from_reader(BufReader::new(file), key) {
        Ok(credential) => Credentials { header: Some(header(&credential, key)), warning: None },
        Err(CredentialRetrievalError::NoCredentialConfigured) => Credentials::default(),
        // The protocol's way to say that there are none for this registry
        // (github.com/docker/docker-credential-helpers, `credentials/error.go`).
        Err(CredentialRetrievalError::HelperFailure { stdout, .. })
            if stdout.contains("credentials not found") =>
        {
            Credentials::default()
        }
        Err(error) => {
            Credentials { header: None, warning: Some(unusable(key, error.to_string().trim())) }
        }
    }
}

fn unusable(key: &str, why: &str) -> String {
    format!("the credentials for {key} in Docker's config.json could not be used: {why}")
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
        let header = credentials.header.as_deref().unwrap();
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
        assert_eq!(found(r#"{"auths":{}}"#, "h.io"), Credentials::default());
        assert_eq!(read(Path::new("/nowhere"), "h.io"), Credentials::default());
    }

    #[test]
    fn a_helper_that_is_not_there_is_a_warning() {
        let found = found(r#"{"credHelpers":{"h.io":"of-nobody"}}"#, "h.io");
        assert_eq!(found.header, None);
        assert!(found.warning.unwrap().contains("h.io"));
    }

    #[test]
    fn a_config_file_that_is_not_json_is_a_warning() {
        assert!(found("{", "h.io").warning.is_some());
    }
}
