//! Defines the waivers of a checked catalog.

use crate::checks::Waiver;
use crate::diagnostic::Span;

/// A waiver with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogWaiver {
    /// ID of the control.
    pub control: String,
    /// Content of the waiver.
    pub waiver: Waiver,
    /// Position of the waiver.
    pub span: Span,
}
