//! Writes the packages of a target as a CycloneDX 1.5 document. The output is deterministic.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::model::{Os, Package, Report};
use super::pretty::to_pretty_json;

/// Reference of the target within the document.
const ROOT: &str = "target";
/// Reference of the operating system within the document.
const SYSTEM: &str = "os";

/// Renders the document. The serial number is derived from all content except the timestamp.
#[must_use]
pub fn write(report: &Report) -> String {
    let os = &report.os;
    // The map sorts by purl and removes duplicates.
    let packages: BTreeMap<String, &Package> = report
        .packages
        .iter()
        .map(|p| (package_url(p, os), p))
        .collect();
    let mut components = vec![os_component(os)];
    components.extend(
        packages
            .iter()
            .map(|(purl, package)| package_component(purl, package)),
    );
    let names: Vec<&String> = packages.keys().collect();
    let mut out = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": "",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "bakeline", "version": report.tool }] },
            "component": { "type": "operating-system", "bom-ref": ROOT, "name": report.target },
            "properties": [{ "name": "bakeline:phase", "value": report.phase }],
        },
        "components": components,
        "dependencies": [
            { "ref": ROOT, "dependsOn": [SYSTEM] },
            { "ref": SYSTEM, "dependsOn": names },
        ],
    });
    out["serialNumber"] = json!(serial_number(&out));
    out["metadata"]["timestamp"] = json!(report.started);
    to_pretty_json(&out)
}

fn os_component(os: &Os) -> Value {
    let mut out = json!({ "type": "operating-system", "bom-ref": SYSTEM, "name": os.id });
    if !os.version.is_empty() {
        out["version"] = json!(os.version);
    }
    out
}

fn package_component(purl: &str, package: &Package) -> Value {
    let Package {
        name,
        version,
        arch,
        ..
    } = package;
    let (source, source_version) = source_package(package);
    let mut properties = vec![json!({ "name": "bakeline:arch", "value": arch })];
    properties.extend(
        [
            ("bakeline:source", source),
            ("bakeline:source-version", source_version),
        ]
        .map(|(name, value)| property_entry(name, value)),
    );
    json!({
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "properties": properties,
    })
}

fn property_entry(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

/// Returns the source package and its version. The default is the package itself.
fn source_package(package: &Package) -> (&str, &str) {
    let own = (&package.name, &package.version);
    (
        package.source.as_ref().unwrap_or(own.0),
        package.source_version.as_ref().unwrap_or(own.1),
    )
}

/// Returns the package URL, such as
/// `pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12&upstream=openssl%403.0.11-1` or
/// `pkg:rpm/amzn/openssl-libs@3.0.8-1.amzn2023?arch=x86_64&distro=amzn-2023&epoch=1&upstream=openssl-3.0.8-1.amzn2023.src.rpm`.
/// Qualifiers are sorted by name (<https://github.com/package-url/purl-spec>). `upstream` has the
/// form that Syft writes and Grype reads.
fn package_url(package: &Package, os: &Os) -> String {
    let kind = package_type(&os.id);
    let mut out = format!(
        "pkg:{kind}/{}/{}",
        percent_encode(&os.id.to_lowercase()),
        percent_encode(&package.name)
    );
    let (epoch, version) = match package.version.split_once(':') {
        Some((epoch, version)) if kind == "rpm" => (epoch, version),
        _ => ("", package.version.as_str()),
    };
    if !version.is_empty() {
        let _ = write!(out, "@{}", percent_encode(version));
    }
    let distro = format!("{}-{}", os.id, os.version);
    let upstream = match kind {
        "rpm" => source_rpm(package),
        _ => source_qualifier(package),
    };
    let known = [
        ("arch", package.arch.as_str()),
        ("distro", distro.trim_end_matches('-')),
        ("epoch", epoch),
        ("upstream", &upstream),
    ];
    let some = known.iter().filter(|(_, value)| !value.is_empty());
    let qualifiers: Vec<String> = some
        .map(|(name, value)| format!("{name}={}", percent_encode(value)))
        .collect();
    if !qualifiers.is_empty() {
        let _ = write!(out, "?{}", qualifiers.join("&"));
    }
    out
}

/// Returns the source package if it differs from the package, with its version if that differs too.
fn source_qualifier(package: &Package) -> String {
    let (name, version) = source_package(package);
    match (name == package.name, version == package.version) {
        (true, true) => String::new(),
        (_, true) => name.to_owned(),
        _ => format!("{name}@{version}"),
    }
}

/// Returns the file name of the source package; empty if it is unknown.
fn source_rpm(package: &Package) -> String {
    match (&package.source, &package.source_version) {
        (Some(name), Some(version)) => format!("{name}-{version}.src.rpm"),
        _ => String::new(),
    }
}

/// Returns the purl type of the packages of a distribution.
fn package_type(os: &str) -> &'static str {
    match os {
        "debian" | "ubuntu" => "deb",
        "alpine" => "apk",
        "arch" => "alpm",
        _ => "rpm",
    }
}

/// Percent-encodes a purl component: everything except letters, digits, `.-_~` and the colon.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' | b':' => {
                out.push(char::from(byte))
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Returns a version 8 UUID (RFC 9562, section 5.8) from the SHA-256 of the document.
fn serial_number(document: &Value) -> String {
    let mut bytes: [u8; 32] = Sha256::digest(document.to_string()).into();
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes[..16].iter().map(|b| format!("{b:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    format!("urn:uuid:{}", parts.join("-"))
}
