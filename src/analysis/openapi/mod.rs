//! Compares an OpenAPI document with the rules: OpenAPI 3.0 and 3.1, and Swagger 2.0.
//!
//! Documents stay JSON values: they come from third parties, and what is odd in one is reported, not refused.

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
