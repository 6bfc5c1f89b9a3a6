//! TLS to an engine behind TCP: the docker CLI's `ca.pem`, `cert.pem` and `key.pem`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::CryptoProvider,
    pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};

use crate::engine::registry::small_file;
use crate::error::{Code, Error, Result};

/// A configuration from the files in `folder`.
///
/// Without a `ca.pem` the system's authorities are trusted; without `cert.pem` and `key.pem` no client
/// certificate is shown. In a folder that was `named` by somebody all three must be there. Without
/// `verify` any server certificate is accepted, as with the CLI's `--tls`.
///
/// # Errors
///
/// `INVALID_ARGUMENT` naming the file.
pub(super) fn client(
    folder: Option<&Path>,
    named: bool,
    verify: bool,
) -> Result<Arc<ClientConfig>> {
    let file = |name: &str| -> Option<PathBuf> {
        let path = folder?.join(name);
        (named || path.exists()).then_some(path)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Code::InvalidArgument, format!("TLS: {error}")))?;
    let builder = if verify {
        let mut roots = RootCertStore::empty();
        match file("ca.pem") {
            Some(path) => {
                for certificate in certificates(&path)? {
                    roots.add(certificate).map_err(|error| unusable(&path, &error))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        builder.with_root_certificates(roots)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyServer(provider)))
    };
    let config = match (file("cert.pem"), file("key.pem")) {
        (Some(certificate), Some(key)) => {
            let secret = PrivateKeyDer::from_pem_slice(&read(&key)?)
                .map_err(|error| unusable(&key, &error))?;
            builder
                .with_client_auth_cert(certificates(&certificate)?, secret)
                .map_err(|error| unusable(&certificate, &error))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(path, &error))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    small_file::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::InvalidArgument,
        format!(
            "{}: {error}; engine.certPath (or DOCKER_CERT_PATH) must be a folder with ca.pem, cert.pem and key.pem",
            path.display()
        ),
    )
}

/// Accepts whoever answers, though the handshake itself must be sound.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
