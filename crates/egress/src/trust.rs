//! Whom TLS is believed that it is who it says.

use std::sync::{Arc, OnceLock};

use pem::{encode_config, EncodeConfig, LineEnding, Pem};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{pem::PemObject, CertificateDer},
    ClientConfig, RootCertStore,
};

/// The certificates that this machine trusts, and those given beside them.
#[derive(Debug, Clone)]
pub struct Trust {
    given: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Those in PEM beside this machine's.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to go behind "it".
    pub fn beside(pem: &str) -> Result<Self, &'static str> {
        let given: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| "is no PEM")?;
        if given.is_empty() {
            return Err("has no certificate in it");
        }
        let mut roots = RootCertStore::empty();
        if given.iter().any(|certificate| roots.add(certificate.clone()).is_err()) {
            return Err("has something in it that is no certificate");
        }
        Ok(Self { given })
    }

    /// This machine's alone.
    pub fn system() -> Self {
        Self { given: Vec::new() }
    }

    fn all(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        // Read once: it takes milliseconds.
        static OF_SYSTEM: OnceLock<Vec<CertificateDer<'static>>> = OnceLock::new();
        let of_system = OF_SYSTEM.get_or_init(|| rustls_native_certs::load_native_certs().certs);
        of_system.iter().chain(&self.given)
    }

    /// How a client goes by it.
    ///
    /// # Errors
    ///
    /// What rustls says.
    pub fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.all().cloned());
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }

    /// All of them in PEM.
    pub fn bundle(&self) -> String {
        self.all().map(|certificate| in_pem(certificate)).collect()
    }
}

/// As OpenSSL writes it.
fn in_pem(certificate: &CertificateDer<'_>) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    encode_config(&Pem::new("CERTIFICATE", certificate.to_vec()), config)
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate() -> String {
        rcgen::generate_simple_self_signed(vec!["a.org".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn a_bundle_has_what_was_given_beside_what_the_system_has() {
        let given = certificate();
        let trust = Trust::beside(&format!("A comment.\n{given}")).unwrap();
        let bundle = trust.bundle();
        let parsed = |text: &str| -> Vec<CertificateDer<'static>> {
            CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>().unwrap()
        };
        assert_eq!(parsed(&bundle).last(), parsed(&given).last());
        assert_eq!(parsed(&bundle).len(), parsed(&Trust::system().bundle()).len() + 1);
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let cut = certificate().replace("-----END CERTIFICATE-----", "");
        let other = "-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n";
        for (text, why) in [
            ("", "has no certificate in it"),
            ("/etc/ssl/ca.pem", "has no certificate in it"),
            (&cut, "is no PEM"),
            (other, "has something in it that is no certificate"),
        ] {
            assert_eq!(Trust::beside(text).err(), Some(why), "{text}");
        }
    }
}
