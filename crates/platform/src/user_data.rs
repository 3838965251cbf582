//! Renders user data for temporary instances. All platforms use cloud-init and systemd.

/// Returns a script that powers off after `hours`.
///
/// A transient timer is in /run, so it is not part of the image. `shutdown +N` would need logind
/// and D-Bus.
pub(crate) fn deadline(hours: i64) -> String {
    format!(
        "#!/bin/sh\nexec systemd-run --unit=bakeline-deadline --on-active={hours}h systemctl poweroff\n"
    )
}

/// Separator of the MIME parts of user data. Keys and scripts of bakeline do not contain it.
const BOUNDARY: &str = "=bakeline=";

/// Returns user data with two parts: host keys and the deadline.
///
/// With separate parts, only the host keys of the cloud-init configuration of the image are
/// replaced. With `ssh_keys`, cloud-init writes these keys and generates none (cloud-init
/// documentation, "User-data formats" and module `ssh`).
pub(crate) fn first_boot(hours: i64, keys: &[(&str, &str, &str)]) -> String {
    let mut map = serde_json::Map::new();
    for (kind, private, public) in keys {
        map.insert(format!("{kind}_private"), serde_json::Value::from(*private));
        map.insert(format!("{kind}_public"), serde_json::Value::from(*public));
    }
    // JSON is YAML.
    let config = serde_json::json!({ "ssh_keys": map });
    let part = |kind: &str, text: &str| {
        format!(
            "--{BOUNDARY}\nContent-Type: text/{kind}; charset=\"us-ascii\"\nMIME-Version: 1.0\n\n{text}\n"
        )
    };
    format!(
        "Content-Type: multipart/mixed; boundary=\"{BOUNDARY}\"\nMIME-Version: 1.0\n\n{}{}--{BOUNDARY}--\n",
        part("cloud-config", &format!("#cloud-config\n{config}")),
        part("x-shellscript", &deadline(hours)),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn first_boot_has_host_keys_and_deadline() {
        let text = super::first_boot(12, &[("ed25519", "-----BEGIN\nx\n", "ssh-ed25519 AAAA")]);
        let parts: Vec<&str> = text.split("--=bakeline=").collect();
        assert!(
            parts[0].starts_with("Content-Type: multipart/mixed;") && parts.len() == 4,
            "{text}"
        );
        let body = |part: &str| {
            part.split_once("\n\n")
                .expect("a header")
                .1
                .trim()
                .to_owned()
        };
        let config: serde_json::Value = serde_json::from_str(
            body(parts[1])
                .strip_prefix("#cloud-config\n")
                .expect("its mark"),
        )
        .expect("JSON");
        let keys = serde_json::json!({"ed25519_private": "-----BEGIN\nx\n", "ed25519_public": "ssh-ed25519 AAAA"});
        assert_eq!(
            config,
            serde_json::json!({ "ssh_keys": keys }),
            "nothing else of the cloud-init configuration is replaced"
        );
        assert_eq!(body(parts[2]), super::deadline(12).trim());
        assert!(text.is_ascii() && text.len() < 1000);
    }
}
