//! The certificates that the proxy shows in place of a host's own, where it has to see what is said.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::{
    crypto::ring::sign::any_supported_type,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::NoServerSessionStorage,
    sign::{CertifiedKey, SigningKey, SingleCertAndKey},
    ServerConfig,
};

use crate::{host::Host, trust::provider};

/// The most certificates that are kept: a pattern may stand for any number of hosts.
const MOST: usize = 256;

/// Makes them, each when it is first asked for. Its keys are in this process's memory, and nowhere else.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// That of all its certificates.
    key: Arc<dyn SigningKey>,
    subject: KeyPair,
    made: Mutex<BTreeMap<Host, Arc<CertifiedKey>>>,
}

/// What can't be made; in words.
type Result<T> = std::result::Result<T, String>;

fn failed(error: impl std::fmt::Display) -> String {
    format!("no certificate can be made: {error}")
}

impl Authority {
    /// # Errors
    ///
    /// What the crates say.
    pub fn new() -> Result<Self> {
        let subject = KeyPair::generate().map_err(failed)?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(subject.serialized_der()));
        let key = any_supported_type(&key).map_err(failed)?;
        let mut params = params("scientist-pool authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = KeyPair::generate().map_err(failed)?;
        let issuer = CertifiedIssuer::self_signed(params, own).map_err(failed)?;
        Ok(Self { issuer, key, subject, made: Mutex::default() })
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// How a server speaks TLS as a host, with these protocols above it.
    ///
    /// # Errors
    ///
    /// What the crates say.
    pub fn server(&self, host: &Host, protocols: Vec<Vec<u8>>) -> Result<Arc<ServerConfig>> {
        let certified = self.certified(host)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.alpn_protocols = protocols;
        Ok(Arc::new(config))
    }

    fn certified(&self, host: &Host) -> Result<Arc<CertifiedKey>> {
        // Nothing done under this lock can leave them half-changed.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(certified) = made.get(host) {
            return Ok(certified.clone());
        }
        // Another name than its issuer's, or OpenSSL takes it for one that signs itself.
        let mut params = params("scientist-pool");
        params.subject_alt_names = vec![match host {
            Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(failed)?),
            Host::Address(address) => SanType::IpAddress(*address),
        }];
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&self.subject, &self.issuer).map_err(failed)?;
        let chain = vec![certificate.der().clone()];
        let certified = Arc::new(CertifiedKey::new(chain, self.key.clone()));
        if made.len() >= MOST {
            made.clear();
        }
        made.insert(host.clone(), certified.clone());
        Ok(certified)
    }
}

fn params(name: &str) -> CertificateParams {
    // Its times are those of always: it is believed where it is given, for as long as that is there.
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
