//! A body whose next chunk is long in coming, without hyper's state of the connection.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;

use super::{Http1Lease, Http1Pool, Rest, begin};
use crate::upstream::answer_first::AnswerFirst;
use crate::upstream::body::RequestBody;
use crate::upstream::driven::{Driven, HeadRoom};

/// Leads hyper to the next chunk of a body.
const LEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Ready when hyper goes on with the body.
pub(in crate::upstream) type RestingBody =
    Pin<Box<dyn Future<Output = Result<(Driven, Incoming), hyper::Error>>>>;

impl Http1Lease {
    /// Takes hyper away from a chunked body until something comes, unless it is in the middle of a chunk or of the request.
    pub(in crate::upstream) fn rest(&mut self) -> Option<RestingBody> {
        let connection = self.connection_mut();
        let flow = &connection.flow;
        if !flow.is_between_chunks() || !flow.is_flushed() {
            return None;
        }
        let stream = connection.driven.stop()?;
        let (rest, room) = (Rc::clone(&connection.rest), connection.room);
        let pool = Rc::clone(&self.pool);
        Some(Box::pin(async move {
            stream.readable().await;
            // on the heap, where nothing of it is there before
            Box::pin(resume(stream, &rest, &pool, room)).await
        }))
    }

    /// hyper is there again.
    pub(in crate::upstream) fn resumed(&mut self, driven: Driven) {
        self.connection_mut().driven = driven;
    }
}

async fn resume(
    mut stream: AnswerFirst,
    rest: &Rc<Rest>,
    pool: &Rc<Http1Pool>,
    room: HeadRoom,
) -> Result<(Driven, Incoming), hyper::Error> {
    stream.repeat_request();
    stream.unread(Bytes::from_static(LEAD));
    let mut driven = begin(stream, rest, pool, room).await?;
    let answer = driven.send(Request::new(RequestBody::empty())).await;
    let answer = answer.map_err(hyper::client::conn::TrySendError::into_error)?;
    Ok((driven, answer.into_body()))
}
