//! Defines scopes: the units that fail, are undone and are reported together.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::{AmiId, ImageName, Location, TemporaryKind, TemporaryResource};

/// Subject of a scope.
#[derive(Debug, Clone)]
pub enum ScopeSubject {
    /// Image of the catalog.
    Image(ImageName),
    /// Existing AMI: its retirement, its restoration or the repair of its tags.
    Ami(AmiId),
    /// Temporary resource that a run left, by its unique name.
    Leftover(String),
    /// SSM parameter that publishes an AMI.
    Pointer(DottedPath),
    /// Object in the store.
    StoreObject(DottedPath),
    /// Revocation of a version and of all versions layered on it.
    Revocation,
}

/// Path whose `/` are written as `.`, because a `/` ends the scope in a step ID.
#[derive(Debug, Clone)]
pub struct DottedPath(String);

impl DottedPath {
    fn new(path: &str) -> Self {
        Self(path.trim_start_matches('/').replace('/', "."))
    }
}

/// Unit of steps that fail, are undone and are reported together.
///
/// Journals, saved plans and reports contain a scope as text: `subject` or `subject@location`. Two
/// scopes are equal if their texts are equal, and they sort by their texts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    subject: ScopeSubject,
    location: Option<Location>,
}

impl Scope {
    /// Returns the scope of an image in the home Region, where images are built. It has no
    /// location.
    #[must_use]
    pub fn of_image(image: &ImageName) -> Self {
        ScopeSubject::Image(image.clone()).into()
    }

    /// Returns the scope of an AMI.
    #[must_use]
    pub fn of_ami(ami: &AmiId) -> Self {
        ScopeSubject::Ami(ami.clone()).into()
    }

    /// Returns the scope of a temporary resource.
    #[must_use]
    pub fn of_leftover(resource: &TemporaryResource) -> Self {
        match resource.kind {
            TemporaryKind::Image => Self::of_ami(&AmiId(resource.id.clone())),
            _ => ScopeSubject::Leftover(resource.unique_name()).into(),
        }
    }

    /// Returns the scope of the SSM parameter of this name.
    #[must_use]
    pub fn of_pointer(name: &str) -> Self {
        ScopeSubject::Pointer(DottedPath::new(name)).into()
    }

    /// Returns the scope of an object in the store.
    #[must_use]
    pub fn of_store_object(key: &str) -> Self {
        ScopeSubject::StoreObject(DottedPath::new(key)).into()
    }

    /// Returns the scope of a revocation at one location.
    #[must_use]
    pub fn of_revocation(location: &Location) -> Self {
        Self::from(ScopeSubject::Revocation).at(location)
    }

    /// Returns the scope of the same subject at a location.
    #[must_use]
    pub fn at(self, location: &Location) -> Self {
        Self {
            location: Some(location.clone()),
            ..self
        }
    }

    /// Returns the subject.
    #[must_use]
    pub fn subject(&self) -> &ScopeSubject {
        &self.subject
    }

    /// Returns the location, or `None` for a scope without a location in its text, such as an image
    /// at home.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    /// Returns whether the subject has the text of this image name. Compares texts, because parsing
    /// turns an image named `ami-0a1b` into an AMI.
    #[must_use]
    pub fn is_of_image(&self, image: &ImageName) -> bool {
        self.subject.to_string() == image.as_str()
    }

    /// Returns whether this is the scope of this image at home.
    #[must_use]
    pub fn is_home_of(&self, image: &ImageName) -> bool {
        self.location.is_none() && self.is_of_image(image)
    }

    /// Returns whether the scope has a location. Failures of scopes with a location do not stop
    /// other scopes.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.location.is_some()
    }
}

impl From<ScopeSubject> for Scope {
    fn from(subject: ScopeSubject) -> Self {
        Self {
            subject,
            location: None,
        }
    }
}

impl fmt::Display for ScopeSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => f.write_str(image.as_str()),
            Self::Ami(ami) => f.write_str(ami.as_str()),
            Self::Leftover(name) => f.write_str(name),
            Self::Pointer(path) => f.write_str(&path.0),
            Self::StoreObject(path) => write!(f, "{STORE_PREFIX}{}", path.0),
            Self::Revocation => f.write_str(REVOCATION),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => f.pad(&format!("{}@{location}", self.subject)),
            None => f.pad(&self.subject.to_string()),
        }
    }
}

const REVOCATION: &str = "revoke";
const STORE_PREFIX: &str = "store.";
/// Prefix of the dotted path of every pointer, from `/bakeline/` in [`crate::model::pointer_name`].
const POINTER_PREFIX: &str = "bakeline.";

/// Error for a text that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope such as `web` or `web@eu-west-1`")]
pub struct ScopeError(String);

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let (subject, location) = match text.rsplit_once('@') {
            Some((subject, location)) => (subject, Some(parse_location(location))),
            None => (text, None),
        };
        let has_region = location.as_ref().is_none_or(|l| !l.region.0.is_empty());
        if subject.is_empty() || subject.contains('/') || !has_region {
            return Err(ScopeError(text.to_owned()));
        }
        Ok(Self {
            subject: parse_subject(subject, location.is_some()),
            location,
        })
    }
}

fn parse_location(text: &str) -> Location {
    let (account, region) = match text.split_once('.') {
        Some((account, region)) => (Some(account.to_owned()), region),
        None => (None, text),
    };
    Location {
        account,
        region: region.into(),
    }
}

/// Parses a subject. An image name such as `ami-0a1b` could also be an ID: both have the same text,
/// so they are the same scope. Use [`Scope::is_of_image`] to compare with an image.
fn parse_subject(text: &str, has_location: bool) -> ScopeSubject {
    let is_id = |prefix: &str| {
        let number = text.strip_prefix(prefix).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let image = ImageName::from(text);
    if has_location && text == REVOCATION {
        ScopeSubject::Revocation
    } else if image.is_valid() && image.arch().is_some() {
        ScopeSubject::Image(image)
    } else if let Some(path) = text.strip_prefix(STORE_PREFIX) {
        ScopeSubject::StoreObject(DottedPath(path.to_owned()))
    } else if text.starts_with(POINTER_PREFIX) {
        ScopeSubject::Pointer(DottedPath(text.to_owned()))
    } else if is_id("ami-") {
        ScopeSubject::Ami(text.into())
    } else if ["i-", "vol-", "snap-", "sg-", "key-"]
        .into_iter()
        .any(is_id)
        || !image.is_valid()
    {
        ScopeSubject::Leftover(text.to_owned())
    } else {
        ScopeSubject::Image(image)
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Scope {}

impl PartialOrd for Scope {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scope {
    fn cmp(&self, other: &Self) -> Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

impl Hash for Scope {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
}
