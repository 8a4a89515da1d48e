/** A worker that has a model. */

import { serveModel } from "./serve_model.js";

serveModel();
