//! Tests the resource `certificate`: valid, invalid and missing.

use bakeline::checks::Outcome;

use super::{collect_facts, judge_all, parse_controls, shells, write_file};

const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBFzCBv6ADAgECAgEHMAoGCCqGSM49BAMCMBYxFDASBgNVBAMMC2V4YW1wbGUu
b3JnMB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEwMTAwMDAwMFowFjEUMBIGA1UEAwwL
ZXhhbXBsZS5vcmcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASOyjHI7CJ+OUIu
71Qig4F+I8+Sx+GN06g1iStudfjkQCfSeHaj37uV+Q+2ORHVuJyVv2l/unOPuV9q
KkVk9KbjMAoGCCqGSM49BAMCA0cAMEQCICmqJou50hBBlu/ZGAVJnioZaRGsUd0L
yjdO8IIXYDn9AiACPY15Wfw613I+Ko4MbXMRpEn6Biv66EKjD8oi1MqRXw==
-----END CERTIFICATE-----
";

const CHECK: &str =
    "- {certificate: /etc/c.pem, subject: CN=example.org, key_bits: 256, days_left: {at_least: 1}}";

#[test]
fn certificate_is_collected_without_the_private_key() {
    let controls = parse_controls(CHECK);
    let key = "-----BEGIN PRIVATE KEY-----\nSECRET\n-----END PRIVATE KEY-----\n";
    for shell in shells() {
        let dir = tempfile::tempdir().expect("dir");
        let outcome = |content: Option<&str>| {
            if let Some(content) = content {
                write_file(dir.path(), "etc/c.pem", content.as_bytes(), 0o600);
            }
            let facts = collect_facts(&shell, &controls, Some(dir.path()));
            assert!(
                !serde_json::to_string(&facts)
                    .expect("json")
                    .contains("SECRET"),
                "{shell:?}"
            );
            judge_all(&controls, &facts)[0].outcome
        };
        assert_eq!(outcome(None), Outcome::Failed, "{shell:?}: no file");
        assert_eq!(
            outcome(Some(&format!("{key}{CERTIFICATE}"))),
            Outcome::Passed,
            "{shell:?}"
        );
        assert_eq!(
            outcome(Some(key)),
            Outcome::Error,
            "{shell:?}: no certificate in the file"
        );
    }
}
