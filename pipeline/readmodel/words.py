"""What is an alert, or a moment of a timeline, called? Sentences in English and Chinese, by what is known by then."""

from zoneinfo import ZoneInfo

from pipeline.explain.sentences import sentence
from pipeline.explain.words import moment
from pipeline.readmodel.answers import AlertView, Words
from pipeline.readmodel.moments import Line
from schemas.alert import AREA_PREFIX, Alert
from schemas.incident import Incident
from schemas.reference import Subject

UTC = ZoneInfo("UTC")


def alert_view(alert: Alert, incident: Incident | None, subject: Subject | None) -> AlertView:
    """`alert` as the API answers it. `incident`: the first in it, if it is still kept."""
    told = {name: getattr(alert, name) for name in AlertView.__struct_fields__ if name != "sentence"}
    return AlertView(**told, sentence=alert_words(alert, incident, subject))


def alert_words(alert: Alert, incident: Incident | None, subject: Subject | None) -> Words:
    """What the alert is about: its first incident's sentence, how often since, and that it is over."""
    if alert.subject_id.startswith(AREA_PREFIX):
        return _area_words(alert)
    told = incident or Incident(
        incident_id=alert.alert_id,
        type=alert.incident_type,  # type: ignore[arg-type]  # of an incident that was checked
        subject_id=alert.subject_id,
        device_id=alert.device_id,
        fence_id=alert.fence_id,
        fence_name=alert.fence_name,
        severity=alert.severity,
        occurred_at=alert.first_occurred_at,
        detected_at=alert.raised_at,
        confidence=alert.confidence,
        late=alert.late,
        attributable=alert.attributable,
    )
    zone = UTC if subject is None else ZoneInfo(subject.time_zone)
    english, chinese = sentence(told, "en", subject), sentence(told, "zh-CN", subject)
    if alert.count > 1:
        last_en, last_zh = (moment(alert.last_occurred_at, zone, language) for language in ("en", "zh-CN"))
        english += f" {alert.count} times so far, the last at {last_en}."
        chinese += f"共 {alert.count} 次，最近一次 {last_zh}。"
    return Words(en=english, zh=chinese)


def _area_words(alert: Alert) -> Words:
    area = alert.area
    people, still = (area.subjects, area.still) if area is not None else (alert.count, 0)
    what_en, what_zh = _RULES.get(alert.rule, (alert.rule, alert.rule))
    english = f"{people} people of {alert.agency} at once: {what_en}"
    chinese = f"{alert.agency}：{people} 人同时{what_zh}"
    if still:
        english, chinese = f"{english}; {still} are not back yet", f"{chinese}，其中 {still} 人尚未恢复"
    return Words(en=f"{english}.", zh=f"{chinese}。")


def moment_words(line: Line, incident: Incident | None, subject: Subject | None) -> Words:
    """What happened, as a line of a timeline."""
    if line.kind == "incident" and incident is not None:
        return Words(en=sentence(incident, "en", subject), zh=sentence(incident, "zh-CN", subject))
    noun_en, noun_zh = _NOUNS[line.kind]
    what_en, what_zh = _WHAT.get(line.what, (line.what.replace("_", " "), line.what))
    of_en, of_zh = _named(line)
    english = f"{noun_en}{of_en and f' ({of_en})'} {what_en}"
    chinese = f"{noun_zh}{of_zh and f'（{of_zh}）'}{what_zh}"
    if line.by:
        english, chinese = f"{english} by {line.by}", f"{chinese}，{line.by}"
    return Words(en=english, zh=chinese)


def _named(line: Line) -> tuple[str, str]:
    detail = line.detail
    if line.kind == "score":
        points = f"{detail.get('points', 0):+d}"
        return points, f"{points} 分"
    name = str(detail.get("title") or detail.get("rule") or detail.get("kind") or detail.get("channel") or "")
    return _RULES.get(name, (name.replace("_", " "), name))


_NOUNS: dict[str, tuple[str, str]] = {
    "incident": ("Incident", "事件"),
    "alert": ("Alert", "警报"),
    "task": ("Task", "任务"),
    "score": ("Score entry", "积分条目"),
    "leave": ("Leave", "请假"),
    "message": ("Message", "消息"),
    "command": ("Command", "指令"),
}
_RULES: dict[str, tuple[str, str]] = {
    "breach": ("fence breach", "越界"),
    "passage": ("passage through a zone", "穿越禁区"),
    "silent": ("device silent", "设备失联"),
    "outage": ("outage", "大面积失联"),
    "tamper": ("device tampered with", "设备被拆动"),
    "sos": ("call for help", "求助"),
    "battery": ("battery low", "电量不足"),
    "identity": ("identity in doubt", "身份存疑"),
    "missed_checkin": ("check-in missed", "未签到"),
    "other_person": ("another person", "非本人"),
    "doubtful_position": ("position in doubt", "定位存疑"),
    "clock": ("clock wrong", "设备时钟错误"),
    "video_check": ("video check", "视频核实"),
    "visit": ("visit", "走访"),
    "measure_review": ("review of the measure", "措施复核"),
    "device_exchange": ("device exchange", "更换设备"),
    "leave_decision": ("decision on leave", "请假审批"),
    "appeal_decision": ("decision on an appeal", "申诉处理"),
    "entry_review": ("review of a score entry", "积分复核"),
    "transfer": ("transfer", "移交"),
    "deadline": ("deadline", "期限"),
}
_WHAT: dict[str, tuple[str, str]] = {
    "raised": ("raised", "已产生"),
    "worsened": ("worsened", "级别上升"),
    "told": ("passed on to officers", "已通知工作人员"),
    "acknowledged": ("taken", "已接手"),
    "escalated": ("escalated", "已升级"),
    "ended": ("over, to be resolved", "已结束，待办结"),
    "resolved": ("resolved", "已办结"),
    "cleared": ("cleared by itself", "已自动解除"),
    "created": ("created", "已建立"),
    "received": ("received", "已签收"),
    "accepted": ("accepted", "已受理"),
    "handed_over": ("handed over", "已移交"),
    "reminded": ("reminded", "已催办"),
    "done": ("done", "已完成"),
    "declined": ("declined", "已退回"),
    "cancelled": ("cancelled", "已取消"),
    "provisional": ("entered, not firm yet", "暂记"),
    "confirmed": ("confirmed", "已确认"),
    "reversed": ("reversed", "已撤销"),
    "appealed": ("contested", "已申诉"),
    "upheld": ("upheld", "已维持"),
    "asked": ("asked for", "已申请"),
    "approved": ("approved", "已批准"),
    "refused": ("refused", "已拒绝"),
    "withdrawn": ("withdrawn", "已撤回"),
    "sent": ("sent", "已发送"),
    "delivered": ("delivered", "已送达"),
    "dead": ("could not be delivered", "未能送达"),
}
