//! The `certificate` resource: an X.509 certificate in a PEM file.

use std::net::IpAddr;

use x509_cert::Certificate;
use x509_cert::der::{self, DecodePem as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::facts::error::ReadError;
use crate::facts::observation::Observation;
use crate::facts::view::View;
use crate::matcher::value::Value;
use crate::resource_type::{
    Property, RequestedResource, ResourceRef, ResourceType, Subject, ValueType, absolute_path,
};
use crate::text::{hex, sh_quote};

pub(crate) static RESOURCE_TYPE: ResourceType = ResourceType::new(
    "certificate",
    "First X.509 certificate of a PEM file. The signature is not verified.",
    Subject::new("path", "Absolute path in the image.", absolute_path),
    observe,
)
.with_properties(&[
    Property::new(
        "subject",
        ValueType::Setting,
        "Subject, in the form of RFC 4514: CN=example.org,O=Example.",
    ),
    Property::new("issuer", ValueType::Setting, "Issuer, in the same form."),
    Property::new(
        "not_before",
        ValueType::Setting,
        "Start of the validity: 2026-01-31T00:00:00Z.",
    ),
    Property::new("not_after", ValueType::Setting, "End of the validity."),
    Property::new(
        "days_left",
        ValueType::Number,
        "Whole days until the end of the validity, by the clock of the target during the \
         collection. Negative after the end.",
    ),
    Property::new("key_bits", ValueType::Number, "Size of the key in bits.").or(&["key_length"]),
    Property::new(
        "signature",
        ValueType::Setting,
        "Signature algorithm, such as sha256WithRSAEncryption or ecdsa-with-SHA256. Unknown \
         algorithms are shown as object identifiers.",
    ),
    Property::new(
        "names",
        ValueType::List,
        "Subject alternative names: host names and addresses.",
    ),
    Property::new(
        "self_signed",
        ValueType::Bool,
        "True if the subject and the issuer are equal.",
    ),
])
.with_collection(include_str!("../certificate.sh"), requests);

fn requests(asked: &[RequestedResource<'_>]) -> Vec<String> {
    let line = |path: &str| format!("certificate {} {}", hex(path.as_bytes()), sh_quote(path));
    asked.iter().map(|one| line(&one.target.subject)).collect()
}

/// Properties of a certificate.
struct Certified {
    subject: String,
    issuer: String,
    not_before: String,
    not_after: String,
    ends: i64,
    key_bits: Option<i64>,
    signature: String,
    names: Vec<String>,
}

/// Reason why a file has no usable certificate.
#[derive(Debug, thiserror::Error)]
enum CertificateError {
    #[error("the file contains no PEM certificate")]
    NoCertificate,
    #[error("the certificate cannot be parsed: {0}")]
    Malformed(der::Error),
    #[error("the alternative names of the certificate cannot be parsed: {0}")]
    MalformedNames(der::Error),
}

impl From<CertificateError> for ReadError {
    fn from(error: CertificateError) -> Self {
        Self::invalid(error)
    }
}

fn parse_certificate(pem: &str) -> Result<Certified, CertificateError> {
    const END: &str = "-----END CERTIFICATE-----";
    let Some((first, _)) = pem.split_once(END) else {
        return Err(CertificateError::NoCertificate);
    };
    let certificate =
        Certificate::from_pem(format!("{}{END}\n", first.trim_start().replace('\r', "")))
            .map_err(CertificateError::Malformed)?;
    let body = certificate.tbs_certificate();
    let validity = body.validity();
    let names = body
        .get_extension::<SubjectAltName>()
        .map_err(CertificateError::MalformedNames)?
        .map(|(_, names)| names.0.iter().map(general_name).collect())
        .unwrap_or_default();
    Ok(Certified {
        subject: body.subject().to_string(),
        issuer: body.issuer().to_string(),
        not_before: validity.not_before.to_date_time().to_string(),
        not_after: validity.not_after.to_date_time().to_string(),
        ends: i64::try_from(validity.not_after.to_unix_duration().as_secs()).unwrap_or(i64::MAX),
        key_bits: key_bits(body.subject_public_key_info()),
        signature: signature_algorithm(&certificate.signature_algorithm().oid.to_string()),
        names,
    })
}

fn general_name(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name)
        | GeneralName::Rfc822Name(name)
        | GeneralName::UniformResourceIdentifier(name) => name.to_string(),
        GeneralName::IpAddress(bytes) => {
            let four = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
            let address =
                four.or_else(|_| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from));
            address.map_or_else(|_| hex(bytes.as_bytes()), |address| address.to_string())
        }
        GeneralName::DirectoryName(name) => name.to_string(),
        other => format!("{other:?}").chars().take(80).collect(),
    }
}

/// Returns the name of a signature algorithm (RFC 4055, 5758, 8410 and 3279).
fn signature_algorithm(number: &str) -> String {
    let name = match number {
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.3.101.112" => "ed25519",
        "1.3.101.113" => "ed448",
        other => other,
    };
    name.to_owned()
}

/// Returns the key size: RFC 3279 (RSA), RFC 5480 (named curves), RFC 8410 (Ed25519, Ed448).
fn key_bits(key: &SubjectPublicKeyInfoOwned) -> Option<i64> {
    match key.algorithm.oid.to_string().as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => {
            modulus_bits(key.subject_public_key.as_bytes()?)
        }
        "1.3.101.112" => Some(256),
        "1.3.101.113" => Some(456),
        "1.2.840.10045.2.1" => {
            let curve = key
                .algorithm
                .parameters
                .as_ref()?
                .decode_as::<x509_cert::der::asn1::ObjectIdentifier>()
                .ok()?;
            match curve.to_string().as_str() {
                "1.2.840.10045.3.1.1" => Some(192),
                "1.3.132.0.33" => Some(224),
                "1.2.840.10045.3.1.7" | "1.3.132.0.10" => Some(256),
                "1.3.132.0.34" => Some(384),
                "1.3.132.0.35" => Some(521),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Returns the size of the modulus in `SEQUENCE { INTEGER modulus, INTEGER exponent }` (DER).
fn modulus_bits(der: &[u8]) -> Option<i64> {
    let inside = der_content(der, 0x30)?;
    let modulus = der_content(inside, 0x02)?;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let (first, rest) = modulus.get(zeros..)?.split_first()?;
    i64::try_from(rest.len() * 8)
        .ok()
        .map(|bits| bits + i64::from(8 - first.leading_zeros()))
}

/// Returns the content of a DER value with this tag.
fn der_content(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = if *length < 0x80 {
        (usize::from(*length), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (
            digits
                .iter()
                .fold(0, |all, digit| all << 8 | usize::from(*digit)),
            rest,
        )
    };
    (*found == tag).then_some(rest.get(..length)?)
}

fn observe(target: &ResourceRef, property: &str, view: &View<'_>) -> Observation {
    view.parse_reading("certificate", &target.subject, |pem| {
        Ok(parse_certificate(pem)?)
    })
    .observe("does not exist", |seen| match property {
        "subject" => Observation::setting(seen.subject.clone()),
        "issuer" => Observation::setting(seen.issuer.clone()),
        "not_before" => Observation::setting(seen.not_before.clone()),
        "not_after" => Observation::setting(seen.not_after.clone()),
        "signature" => Observation::setting(seen.signature.clone()),
        "names" => Observation::list(seen.names.iter().cloned()),
        "self_signed" => Observation::bool(seen.subject == seen.issuer),
        "key_bits" => match seen.key_bits {
            Some(bits) => Observation::Value(Value::Number(bits)),
            None => Observation::Unknown("the type of the key is unknown".to_owned()),
        },
        _ => match view.identity().clock.parse::<jiff::Timestamp>() {
            Ok(now) => Observation::Value(Value::Number(
                (seen.ends - now.as_second()).div_euclid(86400),
            )),
            Err(_) => Observation::Unknown("the clock of the target was not collected".to_owned()),
        },
    })
}

#[cfg(test)]
mod tests;
