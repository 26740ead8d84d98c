//! Which connections end with their response.
//!
//! actix-web times the first head of a connection, and no more: the rest of a chunked body that nobody reads, and the head of the next
//! request, may take for ever. So a connection is kept only for whoever has sent a genuine callback, all of which was read.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::ConnectionType;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage};
use futures_core::Stream;

/// A request's body, which the response keeps until it is on its way: actix-web closes a connection whose request is unread, but goes on
/// reading one whose reader is gone.
#[derive(Clone)]
struct SharedPayload(Rc<RefCell<Payload>>);

impl Stream for SharedPayload {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(context)
    }
}

/// A response with the request's body.
struct WithPayload {
    body: BoxBody,
    _payload: SharedPayload,
}

impl MessageBody for WithPayload {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// Has a request answered, and its connection closed unless `keeps` says otherwise of the response.
pub(crate) fn closing<S>(
    mut request: ServiceRequest,
    service: &S,
    keeps: fn(&ServiceResponse) -> bool,
) -> impl Future<Output = Result<ServiceResponse, Error>> + use<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse, Error = Error>,
{
    let payload = SharedPayload(Rc::new(RefCell::new(request.take_payload())));
    request.set_payload(Payload::Stream {
        payload: Box::pin(payload.clone()),
    });
    let answer = service.call(request);
    async move {
        let mut response = answer.await?;
        if !keeps(&response) {
            response
                .response_mut()
                .head_mut()
                .set_connection_type(ConnectionType::Close);
        }
        Ok(response.map_body(|_, body| {
            BoxBody::new(WithPayload {
                body,
                _payload: payload,
            })
        }))
    }
}
