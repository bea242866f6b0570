//! How requests come to chromedriver: plain HTTP, each on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use thirtyfour::error::{WebDriverError, WebDriverResult};
use thirtyfour::session::http::{Body, HttpClient};

/// Longer than the driver itself waits for a script.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Clone)]
pub(crate) struct Wire(Client<HttpConnector, Full<Bytes>>);

impl Wire {
    pub(crate) fn new() -> Self {
        // What is kept open would belong to the runtime it was opened on.
        Self(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http())
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Box<dyn std::error::Error>> {
        let (head, body) = self.0.request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn send(&self, request: Request<Body<'_>>) -> WebDriverResult<Response<Bytes>> {
        let request = request.map(|body| match body {
            Body::Empty => Full::default(),
            Body::Json(json) => Full::from(json.to_string()),
        });
        let failed = |why: String| WebDriverError::RequestFailed(why);
        let answer = tokio::time::timeout(PATIENCE, self.ask(request)).await;
        answer.map_err(|_| failed(format!("no answer within {PATIENCE:?}")))?.map_err(|error| failed(error.to_string()))
    }

    async fn new(&self) -> Arc<dyn HttpClient> {
        Arc::new(self.clone())
    }
}
