//! Reads a file of certificate authorities that HTTPS clients trust in addition to those of the
//! system, for networks whose proxies inspect TLS.

use crate::adapters::system::{read_file, variable};
use crate::error::{Error, Result};

/// Variable of the AWS SDKs with the path of a PEM file.
pub(super) const VARIABLE: &str = "AWS_CA_BUNDLE";

/// Certificates of a PEM file.
#[derive(Debug, Clone)]
pub(super) struct CaBundle {
    /// Path of the file.
    pub(super) path: String,
    /// Content of the file. All its certificates can be parsed.
    pub(super) pem: Vec<u8>,
    /// The certificates for reqwest.
    pub(super) certificates: Vec<reqwest::Certificate>,
}

impl CaBundle {
    /// Reads the file in `AWS_CA_BUNDLE`, else the file `configured` in the AWS profile.
    ///
    /// # Errors
    /// Fails if the file cannot be read or contains no valid certificate.
    pub(super) fn load(configured: Option<&str>) -> Result<Option<Self>> {
        let of_profile = || Some(("`ca_bundle` of the AWS profile", configured?.to_owned()));
        let from_environment = variable(VARIABLE).map(|path| (VARIABLE, path));
        let Some((origin, path)) = from_environment.or_else(of_profile) else {
            return Ok(None);
        };
        Self::read(&path).map(Some).map_err(|error| {
            error.hint(format!(
                "{origin} must name a PEM file with the certificates of the authorities to trust"
            ))
        })
    }

    fn read(path: &str) -> Result<Self> {
        let invalid = |what: &str| Error::input(format!("{path} {what}"));
        let pem = read_file(path.as_ref())
            .map_err(|e| Error::input("cannot read the CA certificates").because(e))?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|e| invalid("is not a PEM file").because(e.without_url()))?;
        if certificates.is_empty() {
            return Err(invalid("contains no certificate"));
        }
        // Parses each certificate.
        let client = reqwest::Client::builder().tls_certs_only(certificates.clone());
        client
            .build()
            .map_err(|e| invalid("contains an invalid certificate").because(e.without_url()))?;
        Ok(Self {
            path: path.to_owned(),
            pem,
            certificates,
        })
    }
}
