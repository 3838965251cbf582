//! Explains a build that Packer could not connect to, or whose login user the source does not accept or
//! lost its rights.

use crate::catalog::{Access, Builder, Catalog, Image};
use crate::error::{Error, ErrorKind};

/// Text of Packer after its last attempt (packer-plugin-sdk, `communicator/step_connect_ssh.go`).
const REFUSED: &str = "Packer experienced an authentication error when trying to connect via SSH";

/// Returns the error of a refused login. `lines` are the errors of the build.
pub(super) fn login_failure(catalog: &Catalog, image: &Image, lines: &[&str]) -> Option<Error> {
    if !lines.iter().any(|line| line.contains(REFUSED)) {
        return None;
    }
    let base = catalog.base_of(image);
    let text = format!(
        "the source does not accept the login user `{}` (platform `{}`)",
        image.login_user(),
        image.platform.name(),
    );
    let hint = format!(
        "set `platform` or `login_user` in {} to those of the source, or another `source`",
        base.file
    );
    Some(Error::new(ErrorKind::StepFailed, text).hint(hint))
}

/// Text of Packer when `ssh_timeout` ends (packer-plugin-sdk, `communicator/step_connect_ssh.go`).
const TIMEOUT: &str = "Timeout waiting for SSH";

/// Returns the error of a build instance that could not be reached. `lines` are the errors of the
/// build.
pub(super) fn connect_failure(builder: &Builder, lines: &[&str]) -> Option<Error> {
    if !lines.iter().any(|line| line.contains(TIMEOUT)) {
        return None;
    }
    let (way, hint) = if builder.access == Access::Ssm {
        (
            "through an SSM session",
            "the source AMI must contain the SSM agent, the role of `instance_profile` needs the policy \
             AmazonSSMManagedInstanceCore, and the subnet needs a route to Systems Manager",
        )
    } else if builder.public_address {
        (
            "at its public address",
            "`access` must contain the public address of this machine, and the subnet needs an internet \
             gateway",
        )
    } else {
        (
            "at its private address",
            "run bakeline in the VPC or a connected network, or set `public_address: true` and `access` \
             to the address of this machine, or use `access: ssm` (see the page Networks of the documentation)",
        )
    };
    let text = format!("Packer could not reach the build instance {way} over SSH");
    Some(Error::new(ErrorKind::StepFailed, text).hint(hint))
}

/// Texts of sudo(8) for a user without rights.
const NO_RIGHTS: [&str; 4] = [
    "sudo: a password is required",
    "is not in the sudoers file",
    "is not allowed to run sudo",
    "you must have a tty to run sudo",
];

/// Returns the error of a login user that cannot use sudo. `lines` are the errors of the build.
pub(super) fn rights_failure(image: &Image, lines: &[&str]) -> Option<Error> {
    let line = lines
        .last()
        .filter(|line| NO_RIGHTS.iter().any(|words| line.contains(words)))?;
    let text = format!(
        "the login user `{}` cannot use sudo: {line}",
        image.login_user()
    );
    let hint = "keep the passwordless sudo of the login user: a script, playbook or file of the \
                image, or its source, changed /etc/sudoers or /etc/sudoers.d";
    Some(Error::new(ErrorKind::StepFailed, text).hint(hint))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{connect_failure, login_failure, rights_failure};
    use crate::catalog::load;
    use crate::catalog::{Access, defaults};
    use crate::model::ImageName;

    #[test]
    fn unreachable_instance_names_the_ways_of_access() {
        let lines = ["Timeout waiting for SSH."];
        let mut builder = defaults::builder();
        let hints = |builder: &_| {
            let error = connect_failure(builder, &lines).expect("an error");
            error.hints().join(" ")
        };
        let private = hints(&builder);
        for way in ["in the VPC", "`public_address: true`", "`access: ssm`"] {
            assert!(private.contains(way), "{private}");
        }
        builder.public_address = true;
        assert!(hints(&builder).contains("internet gateway"));
        builder.access = Access::Ssm;
        assert!(hints(&builder).contains("the SSM agent"));
        assert!(connect_failure(&builder, &["Script exited"]).is_none());
    }

    #[test]
    fn refused_login_names_user_and_base_image() {
        let files: BTreeMap<String, Vec<u8>> = [
            ("bakeline.yaml", "name: acme\nregions: [eu-west-1]\n"),
            (
                "images/base.yaml",
                "platform: ubuntu\nsource: {owner: \"099720109477\", name: \"x*\"}\n",
            ),
            ("images/app.yaml", "parent: base\n"),
        ]
        .map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()))
        .into();
        let catalog = load(&files).0.expect("a valid catalog");
        let app = &catalog.images[&ImageName("app".to_owned())];
        let lines = [
            "Error waiting for SSH: Packer experienced an authentication error when trying to \
             connect via SSH. This can happen if your username/password are wrong.",
        ];
        let error = login_failure(&catalog, app, &lines).expect("an error");
        assert_eq!(
            error.to_string(),
            "the source does not accept the login user `ubuntu` (platform `ubuntu`)"
        );
        assert!(
            error
                .hints()
                .iter()
                .any(|hint| hint.contains("images/base.yaml"))
        );
        assert!(login_failure(&catalog, app, &["Timeout waiting for SSH."]).is_none());

        let lines = ["fine", "sudo: a password is required"];
        let error = rights_failure(app, &lines).expect("an error");
        assert_eq!(
            error.to_string(),
            "the login user `ubuntu` cannot use sudo: sudo: a password is required"
        );
        assert!(error.hints().iter().any(|hint| hint.contains("sudoers.d")));
        assert!(rights_failure(app, &[lines[1], "another error"]).is_none());
    }
}
