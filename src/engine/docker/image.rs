//! Getting the image: look, pull if the policy says so, look again.

use std::{sync::Arc, time::Duration};

use once_cell::sync::Lazy;
use serde::Deserialize;

use super::{
    super::{
        registry::{credentials, flights::Flights, reference::Reference},
        OnPull, PullProgress,
    },
    client::Client,
    fault::Fault,
    lines,
};
use crate::{
    config::{ContainerConfig, PullPolicy},
    error::{excerpt, Code, Error, Result},
};

static FLIGHTS: Lazy<Flights<()>> = Lazy::new(Flights::default);

/// One line of a pull's report. bollard's own type knows `errorDetail` alone, and takes a line with
/// just an `error`, as Podman and older engines send it, for progress.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    id: Option<String>,
    status: Option<String>,
    progress_detail: Option<Detail>,
    error: Option<String>,
    error_detail: Option<ErrorDetail>,
}

#[derive(Debug, Deserialize)]
struct Detail {
    current: Option<u64>,
    total: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct ErrorDetail {
    message: Option<String>,
}

/// Makes sure the engine has the image.
///
/// `pull_timeout` is the wall clock for all of it, however much of a pull was under way already; zero
/// is no deadline. A pull shared with others goes on for them.
pub(super) async fn prepare(
    client: &Arc<Client>,
    config: &ContainerConfig,
    image: &Reference,
    on_pull: OnPull,
) -> Result<()> {
    match config.pull {
        PullPolicy::Always => {}
        PullPolicy::Missing | PullPolicy::Never => match client.inspect_image(image.as_str()).await
        {
            Ok(()) => return Ok(()),
            Err(fault) if !fault.is_missing() => {
                return Err(client.error("inspect image", fault).image(image.as_str()))
            }
            Err(_) if config.pull == PullPolicy::Never => {
                let advice = "and pull is \"never\": pull it yourself, or set pull to \"missing\"";
                return Err(not_found(image, advice));
            }
            Err(_) => {}
        },
    }
    if image.pull_name().is_none() {
        let advice = "and an image named by its id can't be pulled: load it, or name it by repository and tag";
        return match client.inspect_image(image.as_str()).await {
            Ok(()) => Ok(()),
            Err(fault) if fault.is_missing() => Err(not_found(image, advice)),
            Err(fault) => Err(client.error("inspect image", fault).image(image.as_str())),
        };
    }
    let key = format!("{} {}", client.address(), image.canonical());
    let shared = FLIGHTS.share(&key, on_pull, |report| {
        let (client, image) = (client.clone(), image.clone());
        async move { pull_image(&client, &image, report).await }
    });
    let limit = config.pull_timeout;
    if limit == Duration::ZERO {
        return shared.await;
    }
    match tokio::time::timeout(limit, shared).await {
        Ok(result) => result,
        Err(_) => Err(Error::new(
            Code::ImagePullFailed,
            format!(
                "pulling {} took longer than {} ms; raise pullTimeout, or pull it beforehand (docker pull {0})",
                image.as_str(),
                limit.as_millis()
            ),
        )
        .image(image.as_str())
        .timeout(limit)),
    }
}

async fn pull_image(client: &Client, image: &Reference, report: OnPull) -> Result<()> {
    let (Some(name), Some(tag), Some(key)) =
        (image.pull_name(), image.pull_tag(), image.credentials_key())
    else {
        return Ok(());
    };
    let folder = super::address::Surroundings::of_process().docker_config();
    let credentials = credentials::find(folder, key.to_owned()).await;
    if let Some(warning) = &credentials.warning {
        report(PullProgress {
            image: image.as_str().to_owned(),
            layer: None,
            status: format!("Warning: {warning}"),
            current: None,
            total: None,
        });
    }
    let result = match client.pull_image(name, tag, credentials.header(key)).await {
        Ok(response) => follow(response.into_body(), image, &report).await,
        Err(fault) => Err(fault),
    };
    let fault = match result {
        // Only the engine's own word that it is there now makes a pull a success.
        Ok(()) => match client.inspect_image(image.as_str()).await {
            Ok(()) => return Ok(()),
            Err(fault) if fault.is_missing() => {
                Fault::Garbled("the pull ended without an error, and without the image".to_owned())
            }
            Err(fault) => return Err(client.error("inspect image", fault).image(image.as_str())),
        },
        Err(fault) => fault,
    };
    Err(failure(client, image, fault, credentials.warning))
}

/// Reads a pull's report to its end, passing it on.
async fn follow<B>(body: B, image: &Reference, report: &OnPull) -> Result<(), Fault>
where
    B: hyper::body::Body<Data = bytes::Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    lines::each(body, |line| take(line, image, report)).await
}

fn take(line: &[u8], image: &Reference, report: &OnPull) -> Result<(), Fault> {
    let line: Line =
        serde_json::from_slice(line).map_err(|error| Fault::Garbled(error.to_string()))?;
    let told = line.error_detail.and_then(|detail| detail.message).or(line.error);
    if let Some(message) = told {
        // An answer that began as a success has no other way to say that it did not become one.
        return Err(Fault::Failed(message));
    }
    let Some(status) = line.status else {
        return Ok(());
    };
    let (current, total) =
        line.progress_detail.map_or((None, None), |detail| (detail.current, detail.total));
    // On lines about the whole image, docker puts the tag where a layer's id would be.
    let layer = line.id.filter(|id| Some(id.as_str()) != image.pull_tag());
    let status = excerpt(&status).into_owned();
    report(PullProgress { image: image.as_str().to_owned(), layer, status, current, total });
    Ok(())
}

fn failure(client: &Client, image: &Reference, fault: Fault, warning: Option<String>) -> Error {
    if let Fault::Unreachable(error) = fault {
        return error.image(image.as_str());
    }
    let warning = warning.map(|text| format!(" ({text})")).unwrap_or_default();
    let name = image.as_str();
    let said = fault.refusal().map(str::to_ascii_lowercase).unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let missing = says(&[
        "manifest unknown",
        "manifest for ",
        "repository does not exist",
        "repository name not known",
        "name unknown",
        "name invalid",
        "no such image",
    ]) || (fault.is_missing() && !says(&["denied", "unauthorized"]));
    let denied = says(&["unauthorized", "authentication required", "no basic auth", "denied"]);
    let (code, advice) = if missing {
        let advice = "check its name and tag, and whether its registry wants a `docker login`";
        (Code::ImageNotFound, advice)
    } else if denied {
        (
            Code::ImagePullFailed,
            "the registry wants a login: run `docker login` for it as this user",
        )
    } else {
        let advice = "check that the engine reaches the registry, or pull it beforehand";
        (Code::ImagePullFailed, advice)
    };
    let cause = client.error("pull image", fault);
    let said = cause.message.clone();
    let mut error =
        Error::new(code, format!("can't pull {name}: {said}; {advice}{warning}")).image(name);
    error.status_code = cause.status_code;
    error.cause(cause)
}

/// For an image the engine does not have.
pub(super) fn not_found(image: &Reference, advice: &str) -> Error {
    Error::new(Code::ImageNotFound, format!("the engine has no image {}, {advice}", image.as_str()))
        .image(image.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use http_body_util::Full;

    use super::*;
    use crate::budget::Budget;

    /// Follows a report; gives the steps passed on, and the refusal if there was one.
    async fn followed(text: &'static str) -> (Vec<PullProgress>, Result<(), Fault>) {
        let steps = Arc::new(Mutex::new(Vec::new()));
        let seen = steps.clone();
        let report: OnPull = Arc::new(move |step| seen.lock().unwrap().push(step));
        let image = Reference::parse("a:1").unwrap();
        let result = follow(Full::new(Bytes::from_static(text.as_bytes())), &image, &report).await;
        let steps = steps.lock().unwrap().clone();
        (steps, result)
    }

    #[tokio::test]
    async fn each_step_is_passed_on_with_its_layer_and_bytes() {
        let (steps, result) = followed(concat!(
            r#"{"status":"Pulling from a","id":"1"}"#,
            "\r\n",
            r#"{"status":"Downloading","progressDetail":{"current":5,"total":9},"id":"abc"}"#,
            "\r\n\r\n",
            r#"{"status":"Pull complete","progressDetail":{},"id":"abc"}"#,
        ))
        .await;
        result.unwrap();
        let seen: Vec<_> = steps
            .iter()
            .map(|step| (step.status.as_str(), step.layer.as_deref(), step.current, step.total))
            .collect();
        assert_eq!(
            seen,
            [
                ("Pulling from a", None, None, None),
                ("Downloading", Some("abc"), Some(5), Some(9)),
                ("Pull complete", Some("abc"), None, None),
            ]
        );
    }

    #[tokio::test]
    async fn an_error_in_the_report_is_a_failure_with_its_words() {
        for text in [
            r#"{"errorDetail":{"message":"boom"},"error":"boom"}"#,
            r#"{"error":"boom"}"#,
            r#"{"errorDetail":{"message":"boom"}}"#,
        ] {
            let (_, result) = followed(text).await;
            assert_eq!(result.unwrap_err().refusal(), Some("boom"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_report_that_is_no_json_is_a_failure() {
        assert!(matches!(followed("<html>").await.1, Err(Fault::Garbled(_))));
    }

    #[test]
    fn what_the_engine_says_decides_between_not_found_and_failed() {
        let address = super::super::address::Address::Tcp { host: "h".into(), port: 1, tls: None };
        let client = Client::new(address, Duration::from_secs(1), Budget::new()).unwrap();
        let image = Reference::parse("h.io/a:1").unwrap();
        for (status, message, code) in [
            (
                404,
                "manifest for h.io/a:1 not found: manifest unknown: manifest unknown",
                Code::ImageNotFound,
            ),
            (
                404,
                "pull access denied for a, repository does not exist or may require 'docker login'",
                Code::ImageNotFound,
            ),
            (500, "Get \"https://h.io/v2/\": no basic auth credentials", Code::ImagePullFailed),
            (500, "unauthorized: authentication required", Code::ImagePullFailed),
            (404, "denied: requested access to the resource is denied", Code::ImagePullFailed),
            (200, "error pulling image configuration: EOF", Code::ImagePullFailed),
            (500, "dial tcp 127.0.0.1:1: connect: connection refused", Code::ImagePullFailed),
        ] {
            let fault = Fault::Refused { status, message: message.to_owned() };
            let error = failure(&client, &image, fault, None);
            assert_eq!(error.code, code, "{message}");
            assert_eq!(error.image.as_deref(), Some("h.io/a:1"));
            assert!(error.message.contains(message), "{}", error.message);
        }
    }
}
