//! Whose certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::error::{HubError, disk};
use crate::settings::Settings;

/// Where systems keep the certificates that their owner trusts, a company's own among them.
const SYSTEM: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What `SSL_CERT_FILE` names, or the system's, or Mozilla's as they are built in.
pub(super) fn of(settings: &Settings) -> Result<TlsConfig, HubError> {
    let roots = match &settings.certificates {
        Some(file) => {
            let certificates = read(file)?;
            if certificates.is_empty() {
                let reason = std::io::Error::other("there is no certificate in it");
                return Err(disk(file, "take certificates from it")(reason));
            }
            specific(certificates)
        }
        None => {
            let system = SYSTEM.iter().filter_map(|file| read(Path::new(file)).ok());
            system.map(specific).next().unwrap_or(RootCerts::WebPki)
        }
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}

fn specific(certificates: Vec<Certificate<'static>>) -> RootCerts {
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::Specific(Arc::new(certificates)) }
}

fn read(file: &Path) -> Result<Vec<Certificate<'static>>, HubError> {
    let content = std::fs::read(file).map_err(disk(file, "read certificates"))?;
    let items = parse_pem(&content).filter_map(Result::ok);
    Ok(items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect())
}
