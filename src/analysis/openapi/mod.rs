//! An API as its OpenAPI document describes it, held against the rules: OpenAPI 3.0 and 3.1, and Swagger 2.0.
//!
//! Documents stay JSON values: they are other people's, and what is odd about one is reported, not refused.

mod coverage;
mod document;
mod security;
mod skeleton;
mod template;

pub use coverage::{ApiAudit, AuditFinding, OperationCoverage, OperationDecider, audit};
pub use document::{ApiOperation, OpenApiDocument, OpenApiError};
pub use security::{OperationSecurity, SecurityAlternative};
pub use skeleton::{SkeletonSettings, skeleton};
pub use template::{PathTemplate, TemplateSegment};
