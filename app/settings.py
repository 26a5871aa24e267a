"""The application's arguments: each room's settings, composed. Defaults live with the rooms."""

from app.api.config import ApiConfig
from app.face.config import FaceConfig
from app.media.config import MediaConfig
from app.observability.config import TracingConfig
from app.pipeline.config import SessionConfig
from app.runtime.config import RuntimeConfig
from app.strict import Settings
from app.variants.config import LipsConfig, PortraitConfig
from app.weights.config import WeightsConfig


class AppArgs(Settings):
    """What `args:` of an application in `serve_config.yaml` may hold."""

    api: ApiConfig = ApiConfig()
    media: MediaConfig = MediaConfig()
    face: FaceConfig = FaceConfig()
    portrait: PortraitConfig = PortraitConfig()
    lips: LipsConfig = LipsConfig()
    session: SessionConfig = SessionConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    weights: WeightsConfig = WeightsConfig()
    tracing: TracingConfig = TracingConfig()
