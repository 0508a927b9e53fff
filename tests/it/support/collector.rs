//! A collector of traces: OTLP over gRPC, as the field's own libraries have it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value;
use tokio::sync::watch;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use super::certs::Certified;

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A span as the collector got it.
#[derive(Debug, Clone)]
pub struct Exported {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty where there is none.
    pub parent: String,
    pub kind: i32,
    /// 2 is an error.
    pub status: i32,
    pub state: String,
    /// In nanoseconds since 1970.
    pub time: (u64, u64),
    pub attributes: BTreeMap<String, Value>,
    /// Who traces.
    pub resource: BTreeMap<String, Value>,
    /// Fields of the export.
    pub fields: BTreeMap<String, String>,
}

/// A running collector. It ends with the process.
pub struct Collector {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    open: watch::Sender<bool>,
}

#[derive(Default)]
struct Shared {
    spans: Mutex<Vec<Exported>>,
    more: Condvar,
    asked: AtomicUsize,
}

struct Service {
    shared: Arc<Shared>,
    open: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.shared.asked.fetch_add(1, Ordering::SeqCst);
        self.open.clone().wait_for(|open| *open).await.unwrap();
        let fields = request.metadata().clone().into_headers();
        let fields: BTreeMap<_, _> = fields
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        let mut spans = self.shared.spans.lock().unwrap();
        for of_resource in request.into_inner().resource_spans {
            let resource = of_resource
                .resource
                .map(|resource| map(resource.attributes))
                .unwrap_or_default();
            let found = of_resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans);
            spans.extend(found.map(|span| exported(span, &resource, &fields)));
        }
        self.shared.more.notify_all();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    pub fn new() -> Self {
        Self::start(Server::builder())
    }

    pub fn with_tls(certified: &Certified) -> Self {
        let identity = Identity::from_pem(&certified.certificate, &certified.key);
        Self::start(
            Server::builder()
                .tls_config(ServerTlsConfig::new().identity(identity))
                .unwrap(),
        )
    }

    fn start(mut server: Server) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared: Arc<Shared> = Arc::default();
        let (open, opened) = watch::channel(true);
        let service = Service {
            shared: Arc::clone(&shared),
            open: opened,
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let incoming =
                    TcpIncoming::from(tokio::net::TcpListener::from_std(listener).unwrap());
                server
                    .add_service(TraceServiceServer::new(service))
                    .serve_with_incoming(incoming)
                    .await
                    .unwrap();
            });
        });
        Self {
            address,
            shared,
            open,
        }
    }

    /// From here on exports are taken, and not answered.
    pub fn stall(&self) {
        self.open.send(false).unwrap();
    }

    /// How many exports were begun.
    pub fn asked(&self) -> usize {
        self.shared.asked.load(Ordering::SeqCst)
    }

    /// Everything so far.
    pub fn so_far(&self) -> Vec<Exported> {
        self.shared.spans.lock().unwrap().clone()
    }

    /// Waits until so many spans have come, and returns them with the oldest first.
    pub fn spans(&self, count: usize) -> Vec<Exported> {
        let few = |spans: &mut Vec<Exported>| spans.len() < count;
        let spans = self.shared.spans.lock().unwrap();
        let (spans, waited) = self
            .shared
            .more
            .wait_timeout_while(spans, PATIENCE, few)
            .unwrap();
        assert!(
            !waited.timed_out(),
            "{} spans of {count} have come: {spans:#?}",
            spans.len()
        );
        let mut spans = spans.clone();
        spans.sort_by_key(|span| span.time);
        spans
    }
}

impl Exported {
    /// An attribute; `null` where there is none.
    pub fn get(&self, name: &str) -> Value {
        self.attributes.get(name).cloned().unwrap_or_default()
    }
}

fn exported(
    span: Span,
    resource: &BTreeMap<String, Value>,
    fields: &BTreeMap<String, String>,
) -> Exported {
    Exported {
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: span.kind,
        status: span.status.map_or(0, |status| status.code),
        state: span.trace_state,
        time: (span.start_time_unix_nano, span.end_time_unix_nano),
        name: span.name,
        attributes: map(span.attributes),
        resource: resource.clone(),
        fields: fields.clone(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn map(attributes: Vec<KeyValue>) -> BTreeMap<String, Value> {
    attributes
        .into_iter()
        .map(|attribute| (attribute.key, value(attribute.value)))
        .collect()
}

fn value(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.value) {
        Some(Any::StringValue(text)) => text.into(),
        Some(Any::IntValue(number)) => number.into(),
        Some(other) => format!("{other:?}").into(),
        None => Value::Null,
    }
}
