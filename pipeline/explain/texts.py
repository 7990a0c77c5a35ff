"""The templates of all sentences: type, or type/rule -> (English, Chinese). See `pipeline.explain.sentences`."""

TEXTS: dict[str, tuple[str, str]] = {
    "breach.opened/stay_in": (
        "{who} left {fence} at {when}[: {far} beyond its boundary][, at {where}]; {sure}[, by {why}].",
        "{who}于 {when} 离开{fence}[，已超出边界 {far}][，位置 {where}]；{sure}[，{why}]。",
    ),
    "breach.opened/stay_in/edge": (
        "{who} was outside of {fence} when its duty began, at {when}[: {far} beyond its boundary][, at {where}]; "
        "{sure}[, by {why}].",
        "{who}于 {when} 规定开始时不在{fence}内[，已超出边界 {far}][，位置 {where}]；{sure}[，{why}]。",
    ),
    "breach.opened/keep_out/edge": (
        "{who} was inside of {fence} when it was closed to them, at {when}[: {far} past its boundary][, at {where}]; "
        "{sure}[, by {why}].",
        "{who}于 {when} 禁入规定开始时位于{fence}内[，深入边界 {far}][，位置 {where}]；{sure}[，{why}]。",
    ),
    "breach.opened/keep_out": (
        "{who} entered {fence}, which is closed to them, at {when}[: {far} past its boundary][, at {where}]; "
        "{sure}[, by {why}].",
        "{who}于 {when} 进入禁入区域{fence}[，深入边界 {far}][，位置 {where}]；{sure}[，{why}]。",
    ),
    "breach.opened": (
        "{who} broke the duty of {fence} at {when}[: {far} from its boundary][, at {where}]; {sure}[, by {why}].",
        "{who}于 {when} 违反{fence}的规定[，距边界 {far}][，位置 {where}]；{sure}[，{why}]。",
    ),
    "breach.closed/stay_in": (
        "{who} was back in {fence} at {when}[, after {lasted}][, because {reason}]; {sure}[, by {why}].",
        "{who}于 {when} 回到{fence}[，历时 {lasted}][，原因：{reason}]；{sure}[，{why}]。",
    ),
    "breach.closed/keep_out": (
        "{who} was out of {fence} again at {when}[, after {lasted}][, because {reason}]; {sure}[, by {why}].",
        "{who}于 {when} 离开禁入区域{fence}[，历时 {lasted}][，原因：{reason}]；{sure}[，{why}]。",
    ),
    "breach.closed/lifted": (
        "The breach of {fence} by {who} ended at {when}[, after {lasted}], because {reason}; "
        "that says nothing of where they are.",
        "{who}对{fence}的违规于 {when} 结束[，历时 {lasted}]，原因：{reason}；不表示当事人已返回。",
    ),
    "breach.closed": (
        "The breach of {fence} by {who} ended at {when}[, after {lasted}][, because {reason}]; {sure}.",
        "{who}对{fence}的违规于 {when} 结束[，历时 {lasted}][，原因：{reason}]；{sure}。",
    ),
    "breach.corrected": (
        "The breach of {fence} by {who} at {when} was none[: {reason}][, by {why}].",
        "{who}于 {when} 对{fence}的违规已撤销[：{reason}][，{why}]。",
    ),
    "passage": (
        "{who} passed through {fence} at {when}[, inside for about {long}][, {far} deep]; {sure}[, by {why}].",
        "{who}于 {when} 穿过{fence}[，在内约 {long}][，深入 {far}]；{sure}[，{why}]。",
    ),
    "device.silent": (
        "Nothing was heard of the device of {who} since {when}[, for {long}][; it usually reports every {usual}]"
        "[, was last at {where}][; likely cause: {cause}].",
        "{who}的设备自 {when} 起失去联系[，已 {long}][；通常每 {usual} 上报一次]"
        "[，最后位置 {where}][；可能原因：{cause}]。",
    ),
    "device.back": (
        "The device of {who} was heard again at {when}[, after {long}][, at {where}].",
        "{who}的设备于 {when} 恢复联系[，中断 {long}][，位置 {where}]。",
    ),
    "device.tamper": (
        "The device of {who} reported at {when} that it was tampered with[, at {where}].",
        "{who}的设备于 {when} 报告被拆动[，位置 {where}]。",
    ),
    "device.sos": (
        "{who} called for help with the device at {when}[, at {where}].",
        "{who}于 {when} 通过设备求助[，位置 {where}]。",
    ),
    "device.battery_low": (
        "The battery of the device of {who} is low[, {battery} %], since {when}.",
        "{who}的设备电量不足[，剩余 {battery}%]，时间 {when}。",
    ),
    "device.power_off": (
        "The device of {who} said at {when} that it was being switched off[, with {battery} % of battery]"
        "[, at {where}].",
        "{who}的设备于 {when} 报告即将关机[，剩余电量 {battery}%][，位置 {where}]。",
    ),
    "device.clock_wrong": (
        "The clock of the device of {who} is[ {offset}] {ahead}, noticed at {when}; its times cannot be relied on.",
        "{who}的设备时钟偏{ahead}[ {offset}]，发现于 {when} ；其时间不可靠。",
    ),
    "device.stuck": (
        "The device of {who} has reported the very same position since {when}[, for {long}][, at {where}], which a "
        "satellite receiver does not do: it may have been left behind, or the position made up.",
        "{who}的设备自 {when} 起一直上报完全相同的位置[，已 {long}][，位置 {where}]，"
        "卫星定位不会如此：设备可能被留下，或位置是伪造的。",
    ),
    "fix.implausible": (
        "A position of the device of {who} at {when} cannot be right[: it would have taken {speed} m/s][, at {where}]"
        "[: {reason}].",
        "{who}的设备于 {when} 上报的位置不可信[：需要 {speed} 米/秒的速度][，位置 {where}][：{reason}]。",
    ),
    "fix.mocked": (
        "The phone of {who} said at {when} that an app made up its position[, at {where}].",
        "{who}的手机于 {when} 表明其位置由应用伪造[，位置 {where}]。",
    ),
    "leave.started": ("A leave of {who} started at {when}.", "{who}的外出许可于 {when} 开始。"),
    "leave.ended": ("A leave of {who} ended at {when}.", "{who}的外出许可于 {when} 结束。"),
    "checkin.done": ("{who} checked in at {when}.", "{who}于 {when} 完成签到。"),
    "checkin.missed": ("{who} did not check in by {when}.", "{who}未在 {when} 前签到。"),
    "checkin.doubtful": (
        "{who} checked in at {when}, and a person should look at it[: {reason}].",
        "{who}于 {when} 签到，需要人工复核[：{reason}]。",
    ),
    "checkin.rejected": (
        "The check-in of {who} at {when} could not be used[: {reason}].",
        "{who}于 {when} 的签到无法采用[：{reason}]。",
    ),
    "identity.doubtful": (
        "Whether it was {who} who checked in at {when} is in doubt[: {reason}]; a person has to look.",
        "{when} 签到者是否为{who}本人存疑[：{reason}]，需人工核实。",
    ),
    "identity.confirmed": (
        "A person confirmed that it was {who} who checked in at {when}.",
        "经人工核实，{when} 签到者为{who}本人。",
    ),
    "identity.refuted": (
        "A person found that it was not {who} who checked in at {when}.",
        "经人工核实，{when} 签到者并非{who}本人。",
    ),
    "": (
        "{kind}: {who}, at {when}[, {fence}][, at {where}]; {sure}.",
        "{kind}：{who}，{when}[，{fence}][，位置 {where}]；{sure}。",
    ),
    "not attributable": (
        " Nobody is at fault[: {quiet} of {of} devices of {area} fell silent at once].",
        "并非当事人责任[：{area}的 {of} 台设备中有 {quiet} 台同时失联]。",
    ),
    "late": (" It became known late.", "（迟到的数据）"),
}

CAUSES: dict[str, tuple[str, str]] = {
    "switched_off": ("it was switched off", "设备被关机"),
    "battery_empty": ("the battery ran empty", "电量耗尽"),
    "outage": ("the network, not the person", "网络故障，与当事人无关"),
    "unknown": ("not known", "未知"),
}

REASONS: dict[str, tuple[str, str]] = {
    "schedule": ("the hours of the duty were over", "规定时段已结束"),
    "leave": ("leave was given", "已获批准外出"),
    "activation": ("supervision ended", "监管已结束"),
    "fence": ("the fence was changed or withdrawn", "围栏已变更或撤销"),
    "thrown": ("the receiver was far off at the positions that it rested on", "所依据的定位为接收机异常偏移"),
    "late_fixes": ("positions that came late show another course", "迟到的定位显示了不同的行程"),
    "late": ("positions that came late show another course", "迟到的定位显示了不同的行程"),
    # of check-ins, as pipeline.identity gives them
    "no_match": ("the face is not like the enrolled one", "人脸与登记照片不符"),
    "undetermined": ("the picture does not tell enough", "照片不足以判断"),
    "undetermined_again": ("several pictures in a row did not tell enough", "连续多张照片不足以判断"),
    "apart": ("phone and device were far from each other", "手机与设备相距过远"),
    "position_mocked": ("an app made up the phone's position", "手机位置由应用伪造"),
    "another_face": ("the face changed within the clip", "视频中途换人"),
    "frozen": ("nothing moved in the clip", "视频画面静止"),
    "jump": ("the face was suddenly somewhere else", "人脸位置突变"),
    "moire": ("a pattern as of a screen or a print", "画面有屏幕或印刷纹理"),
    "antispoof": ("it looks like a picture of a picture", "疑似翻拍"),
    "flat": ("face and surroundings moved like a card", "人脸与背景如平面移动"),
    "tried": ("tries within the time did not succeed", "时段内多次尝试均未成功"),
    "not_examined": ("nobody looked at the pictures in time", "照片未能及时检验"),
    "prompts": ("the movements asked for were not seen", "未见到要求的动作"),
    "clip_wanted": ("a clip was wanted", "需要视频"),
    "face_found": ("no face was found", "未发现人脸"),
    "one_face": ("there was a second face", "画面中有第二张人脸"),
    "size": ("the face was too small", "人脸过小"),
    "whole": ("the face was cut off", "人脸不完整"),
    "sharpness": ("the picture was blurred", "照片模糊"),
    "brightness": ("it was too dark or too bright", "光线过暗或过亮"),
    "contrast": ("the face was washed out", "人脸对比度不足"),
    "exposure": ("parts of the face were black or white", "人脸局部过曝或过暗"),
    "yaw": ("the head was turned to the side", "头部侧转"),
    "pitch": ("the head was tilted", "头部俯仰"),
    "unreadable": ("the pictures could not be read", "照片无法读取"),
    "too_large": ("the pictures were too large", "照片过大"),
    "too_slow": ("the pictures could not be looked at in time", "照片检验超时"),
    "gone": ("the pictures were not there any more", "照片已不存在"),
    "not_enrolled": ("no picture is enrolled", "尚未登记人脸"),
    "other_model": ("the enrolled pictures have to be renewed", "登记照片需要更新"),
    "replayed": ("the pictures had been sent before", "照片曾经提交过"),
    "too_soon": ("it came before the wait was over", "未到可重试时间"),
}
