//! The TLS settings of the link, as a `rustls` client configuration. The broker is always verified.

use super::config::TlsOptions;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsError {
    #[error("cannot read certificates from {0}: {1}")]
    Certificates(PathBuf, rustls::pki_types::pem::Error),
    #[error("{0} holds no certificate")]
    NoCertificate(PathBuf),
    #[error("cannot read a private key from {0}: {1}")]
    Key(PathBuf, rustls::pki_types::pem::Error),
    #[error("the system has no certificate authorities; name one with ca_file")]
    NoSystemRoots,
    #[error("{0}")]
    Rustls(#[from] rustls::Error),
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |e| TlsError::Certificates(path.to_owned(), e);
    let certs = CertificateDer::pem_file_iter(path).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if certs.is_empty() { Err(TlsError::NoCertificate(path.to_owned())) } else { Ok(certs) }
}

/// Reads all files anew, so that renewed certificates count from the next connection on. Blocks on files.
pub(super) fn client_config(options: &TlsOptions) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    match &options.ca_file {
        Some(path) => {
            for cert in certificates(path)? {
                roots.add(cert)?;
            }
        }
        None => {
            // One broken file among the system's must not forbid the others.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(TlsError::NoSystemRoots);
            }
        }
    }
    // The provider is named here: a process-wide default could be missing or be set twice.
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match &options.client {
        Some(client) => {
            let chain = certificates(&client.cert_file)?;
            let key = PrivateKeyDer::from_pem_file(&client.key_file)
                .map_err(|e| TlsError::Key(client.key_file.clone(), e))?;
            builder.with_client_auth_cert(chain, key)?
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}
