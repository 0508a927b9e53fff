//! Where a request goes: the service, and the path as that service reads it.

use super::Router;
use crate::access::path::{PathError, RequestPath};

/// A path in its widest reading: with all that any service accepts. Which service it goes to, and whether the gateway
/// itself answers, is found out with it; what is decided on and forwarded is a [`ServicePath`].
#[derive(Clone, Debug)]
pub struct PathReading<'a> {
    sent: &'a str,
    path: RequestPath,
}

/// A service, and the request's path in the service's own reading. Only [`Router::route`] makes one.
#[derive(Clone, Debug)]
pub struct ServicePath {
    service: usize,
    path: RequestPath,
}

/// Why no service answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDestination {
    /// No service accepts what stands in the path: 400.
    Path(PathError),
    /// The service of this index does not accept what stands in the path: 400.
    ServicePath(usize, PathError),
    /// No service for this host and path: 404.
    NoService(RequestPath),
}

impl Router {
    /// Reads a path as sent, with all that any service accepts.
    ///
    /// # Errors
    /// [`PathError`] for a path that has two readings for every service.
    pub fn read<'a>(&self, sent: &'a str) -> Result<PathReading<'a>, PathError> {
        let path = RequestPath::parse(sent, self.widest_paths)?;
        Ok(PathReading { sent, path })
    }

    /// Finds the service for this host (lower-case, without port and trailing dot). A service that accepts less than
    /// others reads the path again, as sent, by its own options.
    ///
    /// # Errors
    /// [`NoDestination`] where no service answers.
    pub fn route(
        &self,
        host: &str,
        reading: PathReading<'_>,
    ) -> Result<ServicePath, NoDestination> {
        let PathReading { sent, path } = reading;
        let Some(service) = self.find(host, &path) else {
            return Err(NoDestination::NoService(path));
        };
        let own = self.paths[service];
        let path = if own == self.widest_paths {
            path
        } else {
            RequestPath::parse(sent, own)
                .map_err(|error| NoDestination::ServicePath(service, error))?
        };
        Ok(ServicePath { service, path })
    }

    /// [`Router::read`] and [`Router::route`] in one.
    ///
    /// # Errors
    /// [`NoDestination`] where no service answers.
    pub fn resolve(&self, host: &str, sent: &str) -> Result<ServicePath, NoDestination> {
        let reading = self.read(sent).map_err(NoDestination::Path)?;
        self.route(host, reading)
    }
}

impl PathReading<'_> {
    /// The path in its one spelling.
    pub fn path(&self) -> &RequestPath {
        &self.path
    }

    /// The path, for an answer that is no service's.
    pub fn into_path(self) -> RequestPath {
        self.path
    }
}

impl ServicePath {
    /// The index of the service.
    pub fn service(&self) -> usize {
        self.service
    }

    /// The path that is decided on and forwarded.
    pub fn path(&self) -> &RequestPath {
        &self.path
    }

    /// The same, by value.
    pub fn into_path(self) -> RequestPath {
        self.path
    }
}
