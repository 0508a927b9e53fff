//! The request that a connection of HTTP/1.1 answers, apart from hyper's state of the connection: while nothing moves for a
//! moment, that state goes with its buffers, and it comes back when something does.
//!
//! hyper has no way into the middle of an exchange, so that it is led there: what it reads first is a head that decides as
//! the client's request did how an answer is framed, the answer is the client's, and a head that the client has
//! already is not written again.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRAILER};
use http::{HeaderMap, HeaderValue, Response, Version};
use http_body::{Body, Frame, SizeHint};

use super::asked::Asked;
use super::timed_body::TimedBody;

/// What a body gives.
type Piece = Option<Result<Frame<Bytes>, <TimedBody as Body>::Error>>;

/// The request that is being answered; `F` finds its answer.
pub(super) struct Answering<F> {
    /// Allocated once for all requests of the connection.
    search: RefCell<Pin<Box<Option<F>>>>,
    /// An answer that was found while hyper was away.
    found: RefCell<Option<Box<FoundAnswer>>>,
    /// The head that hyper has, until the next request.
    sent: RefCell<Option<BegunAnswer>>,
    body: Rc<SharedBody>,
    asked: Cell<Option<Asked>>,
    /// Whether all of the request's body was received.
    received: Rc<Cell<bool>>,
    /// Whether the next head that hyper reads is the one that leads it back.
    leads_back: Cell<bool>,
    is_last: Cell<bool>,
}

/// The answer to a request.
pub(super) struct FoundAnswer {
    pub(super) response: Response<TimedBody>,
    /// Whether the connection is to end with it anyway.
    pub(super) is_last: bool,
}

/// What the head of an answer has said about its body.
struct BegunAnswer {
    version: Version,
    /// `Trailer`, where the client takes trailers.
    trailers: HeaderMap,
}

/// The body of the answer that is being sent, whether or not hyper is there.
#[derive(Default)]
struct SharedBody {
    body: RefCell<Option<TimedBody>>,
    /// What came while hyper was away.
    ahead: RefCell<Option<Piece>>,
    /// Whether its length was announced.
    is_measured: Cell<bool>,
    /// Whether hyper goes, and the body stays.
    stays: Cell<bool>,
}

/// The body as hyper has it. Dropped, it is over or given up.
pub(super) struct AnswerBody(Rc<SharedBody>);

impl<F: Future<Output = FoundAnswer>> Answering<F> {
    pub(super) fn new() -> Self {
        Self {
            search: RefCell::new(Box::pin(None)),
            found: RefCell::default(),
            sent: RefCell::default(),
            body: Rc::default(),
            asked: Cell::default(),
            received: Rc::default(),
            leads_back: Cell::default(),
            is_last: Cell::default(),
        }
    }

    /// Whether the head that hyper has read is the one that leads it back to a request that has begun.
    pub(super) fn is_led_back(&self) -> bool {
        self.leads_back.take()
    }

    /// Whether that head is still to be read.
    pub(super) fn leads_back(&self) -> bool {
        self.leads_back.get()
    }

    /// A request begins.
    pub(super) fn begin(&self, asked: Asked, search: F) {
        self.asked.set(Some(asked));
        self.received.set(!asked.has_body);
        *self.sent.borrow_mut() = None;
        self.search.borrow_mut().set(Some(search));
    }

    /// To be set when all of a request's body is received.
    pub(super) fn received(&self) -> &Rc<Cell<bool>> {
        &self.received
    }

    /// The answer for hyper.
    pub(super) async fn answer(&self) -> Result<Response<AnswerBody>, Infallible> {
        Ok(poll_fn(|cx| self.poll_answer(cx)).await)
    }

    fn poll_answer(&self, cx: &mut Context<'_>) -> Poll<Response<AnswerBody>> {
        // dropped, it would end the answer
        let body = || AnswerBody(Rc::clone(&self.body));
        if let Some(sent) = &*self.sent.borrow() {
            return Poll::Ready(sent.again(body(), self.is_last.get()));
        }
        let FoundAnswer { response, is_last } = ready!(self.poll_found(cx));
        self.is_last.set(is_last);
        let is_measured = response.body().size_hint().exact().is_some();
        let takes_trailers = self.asked.get().is_some_and(|asked| asked.takes_trailers);
        if !is_measured && response.headers().contains_key(CONTENT_LENGTH) {
            // hyper goes by the field, and would not find it when it comes back: it stays
            self.asked.set(None);
        }
        let mut trailers = HeaderMap::new();
        if takes_trailers && !is_measured {
            for names in response.headers().get_all(TRAILER) {
                trailers.append(TRAILER, names.clone());
            }
        }
        let (version, (head, found)) = (response.version(), response.into_parts());
        *self.sent.borrow_mut() = Some(BegunAnswer { version, trailers });
        self.body.is_measured.set(is_measured);
        *self.body.body.borrow_mut() = Some(found);
        Poll::Ready(Response::from_parts(head, body()))
    }

    fn poll_found(&self, cx: &mut Context<'_>) -> Poll<FoundAnswer> {
        if let Some(found) = self.found.borrow_mut().take() {
            return Poll::Ready(*found);
        }
        let mut search = self.search.borrow_mut();
        let Some(running) = search.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        let found = ready!(running.poll(cx));
        search.set(None);
        Poll::Ready(found)
    }

    /// Whether hyper may go. To be asked when it has nothing to do and nothing to write.
    pub(super) fn may_wait(&self) -> bool {
        let Some(asked) = self.asked.get() else {
            return false;
        };
        let searches = || self.search.borrow().is_some();
        let sends = || self.sent.borrow().is_some() && self.body.body.borrow().is_some();
        let is_simple = !asked.may_leave && !asked.has_coding;
        self.received.get() && is_simple && (searches() || sends())
    }

    /// Keeps the answer while `go` drops hyper's state.
    pub(super) fn without_hyper<T>(&self, go: impl FnOnce() -> T) -> T {
        self.body.stays.set(true);
        let gone = go();
        self.body.stays.set(false);
        gone
    }

    /// Ready when hyper has something to do for the answer.
    pub(super) fn poll_moves(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.sent.borrow().is_none() {
            let found = ready!(self.poll_found(cx));
            *self.found.borrow_mut() = Some(Box::new(found));
        } else if let Some(body) = &mut *self.body.body.borrow_mut() {
            let piece = ready!(Pin::new(body).poll_frame(cx));
            *self.body.ahead.borrow_mut() = Some(piece);
        }
        Poll::Ready(())
    }

    /// The head that hyper is to read when it comes back, and whether the client has the head of the answer already.
    pub(super) fn lead_back(&self) -> (Bytes, bool) {
        self.leads_back.set(true);
        let head = self.asked.get().map(Asked::head).unwrap_or_default();
        (head, self.sent.borrow().is_some())
    }

    /// Whether the connection was to end with the last answer anyway.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.get()
    }

    /// Gives the request up, where it is not answered.
    pub(super) fn give_up(&self) {
        self.search.borrow_mut().set(None);
        *self.found.borrow_mut() = None;
        self.body.clear();
    }
}

impl BegunAnswer {
    /// A head with which hyper frames the rest of the body as it framed what it has sent.
    fn again(&self, body: AnswerBody, is_last: bool) -> Response<AnswerBody> {
        let mut response = Response::new(body);
        *response.version_mut() = self.version;
        *response.headers_mut() = self.trailers.clone();
        if is_last {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(CONNECTION, close);
        }
        response
    }
}

impl SharedBody {
    fn clear(&self) {
        *self.ahead.borrow_mut() = None;
        *self.body.borrow_mut() = None;
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = <TimedBody as Body>::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Piece> {
        if let Some(piece) = self.0.ahead.borrow_mut().take() {
            return Poll::Ready(piece);
        }
        match &mut *self.0.body.borrow_mut() {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        // hyper would take an answer that begins with its end for one without a body, and end no chunks
        let is_over = || {
            self.0
                .body
                .borrow()
                .as_ref()
                .is_none_or(Body::is_end_stream)
        };
        self.0.ahead.borrow().is_none() && is_over()
    }

    /// What is left of an announced length.
    fn size_hint(&self) -> SizeHint {
        if !self.0.is_measured.get() {
            return SizeHint::default();
        }
        let ahead = match &*self.0.ahead.borrow() {
            Some(Some(Ok(frame))) => frame.data_ref().map_or(0, |data| data.len() as u64),
            _ => 0,
        };
        let left = self.0.body.borrow().as_ref().map(Body::size_hint);
        match left.and_then(|left| left.exact()) {
            Some(left) => SizeHint::with_exact(left + ahead),
            None => SizeHint::default(),
        }
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        if !self.0.stays.get() {
            self.0.clear();
        }
    }
}
