//! What all tests share, and how one of them is run: in a browser of its own.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use libtest_mimic::Trial;
use tokio::runtime::Runtime;

use crate::browser::{Browser, Chromedriver};
use crate::world::World;

/// Dropped at the end of `main`, which ends the processes.
#[derive(Debug)]
pub(crate) struct House {
    /// Opened by the first test, so that tests can be listed without it.
    stock: OnceLock<Option<Arc<Stock>>>,
    runtime: Runtime,
}

#[derive(Debug)]
struct Stock {
    chromedriver: Chromedriver,
    world: World,
    axe: String,
    pictures: PathBuf,
}

impl Stock {
    async fn open() -> Self {
        let told = |name: &str| PathBuf::from(std::env::var_os(name).expect("tests/page/run sets it"));
        Self {
            axe: std::fs::read_to_string(told("CALFERRY_AXE")).unwrap(),
            pictures: told("CALFERRY_PICTURES"),
            chromedriver: Chromedriver::start().await,
            world: World::start().await,
        }
    }
}

/// What one test has.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) browser: Browser,
    stock: Arc<Stock>,
}

impl Stage {
    /// The program that everybody looks at and nobody changes.
    pub(crate) fn world(&self) -> &World {
        &self.stock.world
    }

    /// The script of axe-core.
    pub(crate) fn axe(&self) -> &str {
        &self.stock.axe
    }

    /// Takes a picture of the page and keeps it under this name.
    pub(crate) async fn picture(&self, name: &str) -> PathBuf {
        let path = self.stock.pictures.join(format!("{name}.png"));
        std::fs::write(&path, self.browser.picture().await).unwrap();
        path
    }
}

impl House {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { stock: OnceLock::new(), runtime: Runtime::new().unwrap() })
    }

    pub(crate) fn test(self: &Arc<Self>, name: &str, test: impl AsyncFnOnce(&Stage) + Send + 'static) -> Trial {
        let house = Arc::clone(self);
        Trial::test(name, move || {
            house.run(test);
            Ok(())
        })
    }

    fn run(&self, test: impl AsyncFnOnce(&Stage)) {
        // What is not there for one test is there for none, and is not waited for again.
        let stock = self
            .stock
            .get_or_init(|| catch_unwind(AssertUnwindSafe(|| Arc::new(self.runtime.block_on(Stock::open())))).ok());
        let stock = stock.clone().expect("the first panic tells what is not there");
        let browser = self.runtime.block_on(Browser::start(&stock.chromedriver));
        let stage = Stage { browser, stock };
        let ended = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(test(&stage))));
        // However the test has ended, the browser does not stay.
        let left = self.runtime.block_on(stage.browser.quit());
        match ended {
            Ok(()) => left.unwrap(),
            Err(panic) => resume_unwind(panic),
        }
    }
}
