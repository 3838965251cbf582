//! Checks names and reports invalid ones.

/// Error for an invalid name. The text follows "is not a valid …: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Length of a name out of range.
    #[error("it must have 1 to 40 characters")]
    Length,
    /// First character that is not a lower-case letter.
    #[error("it must start with a lower-case letter")]
    Start,
    /// Last character `-`.
    #[error("it must not end with `-`")]
    End,
    /// Invalid character of a name.
    #[error("`{}` is not one of a-z, 0-9 and `-`", .0.escape_default())]
    Character(char),
    /// Unknown architecture.
    #[error("use x86_64 or arm64")]
    Arch,
    /// Invalid version.
    #[error("a version looks like 20261122.1")]
    Version,
    /// Unknown state.
    #[error("`{0}` is not a state")]
    State(String),
}

/// Checks a catalog or image name: 1 to 40 characters of `a-z 0-9 -` that start with a letter and
/// do not end with `-`.
///
/// The rule is stricter than EC2 (AMI names: 3 to 128 characters) and Packer (build names:
/// `[A-Za-z0-9_-]`, because the target field of its machine-readable output is not escaped), so
/// that every derived name is valid everywhere.
///
/// # Errors
/// The violated rule, as a fragment of a sentence.
pub fn check_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.len() > 40 {
        return Err(NameError::Length);
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(NameError::Start);
    }
    if text.ends_with('-') {
        return Err(NameError::End);
    }
    if let Some(c) = text
        .chars()
        .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
    {
        return Err(NameError::Character(c));
    }
    Ok(())
}
