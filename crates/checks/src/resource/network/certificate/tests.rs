//! Tests of the `certificate` resource with recorded frames.
//!
//! pyca/cryptography created both certificates for these tests. The keys no longer exist.

use crate::tests::lines;

const CA: &str = "\
-----BEGIN CERTIFICATE-----
MIICxzCCAa+gAwIBAgIBBzANBgkqhkiG9w0BAQsFADAnMRAwDgYDVQQKDAdFeGFt
cGxlMRMwEQYDVQQDDApFeGFtcGxlIENBMB4XDTI2MDEwMTAwMDAwMFoXDTM2MDEw
MTAwMDAwMFowJzEQMA4GA1UECgwHRXhhbXBsZTETMBEGA1UEAwwKRXhhbXBsZSBD
QTCCASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAKx/deIH6hEnu8gv1lkv
PQs09nskPiy6T0zMns+X0YplYzojx5VW+UnFp9SeiN2UwCMYK6RSn6fQNKvOlA1g
PEoTm26AuBLpP1Cu8b8VLbzF3J9zjumKrX3ntXcqogPBrRFY2K1EoG4CcOgGsG6D
/nNejjJ9hiLVbNebdkx1HDd52NWIx4f+jTMaWEJ/jaDxqq2AwTgnIzXMAaiO2n3b
r2dIvyZmV8xdOmIGOMnZescbKedCnXEjWjF9zCtT/962r3ORaFbycUQMUYHdqcjk
hUcwpRC3mw0UdJJs7fk1aKukJioUNxgyObadJyGJpdSusZO/OKQM8SeJ1EnlUQh1
oAcCAwEAATANBgkqhkiG9w0BAQsFAAOCAQEAGeRSwi1ppCETA/YCoLISR4qBAC0j
3y3Nkb6bpItS8LJdfD8ibSyq+TVoxDVQNVxz1QDCRXRILXYfHA7imcP/+elpwT9c
jvc0j2Yb2Ca5aVWXUzIwdOyIrgumg9iYW56jam3IvkAZcwjdsAzf3p2fybWr1GQf
Z4Pc73DJM+GmSvt+IskudJFVCjG0QuiEog7MkYa4Sjg67Q9AOlGFDlpc+n5C1VVV
F3PcWB89Q11kCQE7Fc9V/KsRVb4yRt1NIyW1XROedKoOxkw0UHds2IznjLz8/dnp
Sa/hLrBpcle5o6pTwm2K1empR2t/jOtPYmADSLED/4IWm0G71wOeqADwNQ==
-----END CERTIFICATE-----
";

const LEAF: &str = "\
-----BEGIN CERTIFICATE-----
MIICHzCCAQegAwIBAgIBCDANBgkqhkiG9w0BAQsFADAnMRAwDgYDVQQKDAdFeGFt
cGxlMRMwEQYDVQQDDApFeGFtcGxlIENBMB4XDTI2MDEwMTAwMDAwMFoXDTI2MTIz
MTEyMDAwMFowFjEUMBIGA1UEAwwLZXhhbXBsZS5vcmcwWTATBgcqhkjOPQIBBggq
hkjOPQMBBwNCAARGNe5XaVmGeCxmtDok8c5AURm3tfg8cqG4KtWfwhqIdRt09ROp
BMX2Y40SLOb8tHbwuFNu4F8NSR+2K9IxTcDkozIwMDAuBgNVHREEJzAlggtleGFt
cGxlLm9yZ4cEwAACAYcQIAENuAAAAAAAAAAAAAAAATANBgkqhkiG9w0BAQsFAAOC
AQEAnr09fPlysVdnpnuNyBvpRrK7Z8Lqa3mKT49RhEiEiotI9+WmlXHR1qgMG9dh
MpY59RLE6xnKcHqQLxI1KJYJC2kZmY2eyn5rBhtpNKknCyG23sBou0r2/jjB430y
WJw1eXaFQVl78/h8NkVAsdQCPX3CM7qxMeRgeqDxb90dI9bcMOIBPTNhRIAAjB8f
E4LF9ZDfMtBuhCJysmy0wZM3TSyvXHgSHqs7f88d+4ywtvJn+f05lKWjaPiQG92R
H0IVhJR4UW22YuxjeKD0GwGSsr0DKoauuOv1nsax70EDMsn8ypgGdXZOiDiGhbHf
21qKkws+YyBWQ22RLGfsn4YZ1w==
-----END CERTIFICATE-----
";

fn judge_check(yaml: &str, rc: i32, text: &str, clock: &str) -> String {
    let identity = format!("uid=0\nclock={clock}\n");
    let frames = [
        ("identity", "", 0, "-", identity.as_str()),
        ("certificate", "/c.pem", rc, "-", text),
    ];
    lines(&format!("- {{certificate: /c.pem, {yaml}}}"), &frames).join("")
}

#[test]
fn first_certificate_of_a_file_is_judged() {
    let chain = format!("{LEAF}{CA}");
    for yaml in [
        "subject: CN=example.org, self_signed: false, key_bits: 256, signature: \
            sha256WithRSAEncryption",
        "issuer: {match: \"CN=Example CA\"}, not_before: \"2026-01-01T00:00:00Z\", not_after: \
            \"2026-12-31T12:00:00Z\"",
        "names: {same_set: [example.org, 192.0.2.1, \"2001:db8::1\"]}",
    ] {
        assert_eq!(
            judge_check(yaml, 0, &chain, ""),
            "passed  certificate:/c.pem",
            "{yaml}"
        );
    }
    assert_eq!(
        judge_check(
            "key_length: 2048, self_signed: true, names: {empty: true}",
            0,
            CA,
            ""
        ),
        "passed  certificate:/c.pem"
    );
}

#[test]
fn days_left_use_the_clock_of_the_target() {
    for (clock, days) in [
        ("2026-12-01T12:00:00Z", 30),
        ("2026-12-31T11:59:59Z", 0),
        ("2026-12-31T12:00:01Z", -1),
    ] {
        assert_eq!(
            judge_check(&format!("days_left: {days}"), 0, LEAF, clock),
            "passed  certificate:/c.pem",
            "{clock}"
        );
    }
    assert!(
        judge_check("days_left: {at_least: 14}", 0, LEAF, "").starts_with("error"),
        "no clock"
    );
}

#[test]
fn invalid_certificate_is_error_and_missing_one_fails() {
    assert!(judge_check("days_left: {at_least: 0}", 1, "", "").contains("but it does not exist"));
    let broken = LEAF.replace("MII", "MIJ");
    for (rc, text) in [
        (0, ""),
        (0, broken.as_str()),
        (2, "Permission denied"),
        (3, "it is not a regular file"),
    ] {
        assert!(
            judge_check("self_signed: false", rc, text, "").starts_with("error"),
            "{text}"
        );
    }
}
