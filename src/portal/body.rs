//! Reads the body of a login: little, quickly, before anything is decided, and wiped afterwards.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use zeroize::Zeroizing;

use super::rejection::FormRejection;

/// The most bytes of a login.
const LIMIT: usize = 64 * 1024;

/// How long a login may take to arrive, from the end of its head.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a client has sent to one of the endpoints: all that there is to wait for before its request is decided.
pub struct ReceivedBody(Result<Zeroizing<Vec<u8>>, FormRejection>);

impl ReceivedBody {
    /// Reads a body to its end, up to 64 KiB, for at most 10 s.
    pub(super) async fn read<B>(body: B) -> Self
    where
        B: Body<Data = Bytes>,
    {
        Self(read(body, DEADLINE).await)
    }

    /// A body that no endpoint looks at.
    pub(super) fn unread() -> Self {
        Self(Err(FormRejection::Broken))
    }

    /// The whole body. One that was not read, because the endpoint did not look at bodies of this kind when the request
    /// came, counts as broken.
    pub(super) fn whole(self) -> Result<Zeroizing<Vec<u8>>, FormRejection> {
        self.0
    }
}

/// Without what was sent: it may be a password.
impl fmt::Debug for ReceivedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedBody").finish_non_exhaustive()
    }
}

/// The whole body. What the HTTP engine held of it is out of reach; this copy is wiped when dropped.
async fn read<B>(body: B, deadline: Duration) -> Result<Zeroizing<Vec<u8>>, FormRejection>
where
    B: Body<Data = Bytes>,
{
    tokio::time::timeout(deadline, collect(body))
        .await
        .unwrap_or(Err(FormRejection::TooSlow))
}

async fn collect<B>(body: B) -> Result<Zeroizing<Vec<u8>>, FormRejection>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let announced = body.size_hint();
    if announced.lower() > LIMIT as u64 {
        return Err(FormRejection::TooLarge);
    }
    // Enough from the start: a vector that grows leaves copies behind that nobody wipes.
    let upper = announced.upper().unwrap_or(u64::MAX);
    let room = upper.min(LIMIT as u64) as usize;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| FormRejection::Broken)?.into_data() else {
            continue;
        };
        if data.len() > LIMIT - bytes.len() {
            return Err(FormRejection::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http::HeaderMap;
    use http_body::{Frame, SizeHint};

    use super::*;

    /// Plays frames, of which `None` is a broken connection; then it ends, or hangs.
    struct Script {
        frames: Vec<Option<Frame<Bytes>>>,
        announced: u64,
        ends: Poll<()>,
    }

    impl Body for Script {
        type Data = Bytes;
        type Error = ();

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, ()>>> {
            if self.frames.is_empty() {
                return self.ends.map(|()| None);
            }
            Poll::Ready(Some(self.frames.remove(0).ok_or(())))
        }

        fn size_hint(&self) -> SizeHint {
            let mut hint = SizeHint::new();
            hint.set_lower(self.announced);
            hint
        }
    }

    fn data(bytes: usize) -> Option<Frame<Bytes>> {
        Some(Frame::data(vec![b'x'; bytes].into()))
    }

    fn play(
        frames: Vec<Option<Frame<Bytes>>>,
        announced: u64,
        ends: Poll<()>,
    ) -> Result<usize, FormRejection> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let script = Script {
            frames,
            announced,
            ends,
        };
        runtime
            .block_on(read(script, Duration::ZERO))
            .map(|bytes| bytes.len())
    }

    #[test]
    fn a_body_is_small_whole_and_in_time() {
        let end = Poll::Ready(());
        assert_eq!(play(vec![], 0, end), Ok(0));
        assert_eq!(
            play(
                vec![data(1), data(2), Some(Frame::trailers(HeaderMap::new()))],
                0,
                end
            ),
            Ok(3)
        );
        assert_eq!(play(vec![data(LIMIT - 1), data(1)], 0, end), Ok(LIMIT));
        assert_eq!(
            play(vec![data(LIMIT), data(1)], 0, Poll::Pending),
            Err(FormRejection::TooLarge)
        );
        assert_eq!(
            play(vec![data(LIMIT + 1)], 0, Poll::Pending),
            Err(FormRejection::TooLarge)
        );
        assert_eq!(
            play(vec![], LIMIT as u64 + 1, Poll::Pending),
            Err(FormRejection::TooLarge)
        );
        assert_eq!(
            play(vec![data(1), None], 0, end),
            Err(FormRejection::Broken)
        );
        assert_eq!(
            play(vec![data(1)], 0, Poll::Pending),
            Err(FormRejection::TooSlow)
        );
    }

    #[test]
    fn the_error_of_a_body_may_be_any() {
        let body =
            http_body_util::Full::new(Bytes::from_static(b"x")).map_err(|error: Infallible| error);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        assert_eq!(
            runtime.block_on(read(body, DEADLINE)).unwrap().as_slice(),
            b"x"
        );
    }
}
