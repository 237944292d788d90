"""Names and addresses as people paste them when they want a parcel: `收货人 … 电话 … 地址 …`, in one line or in several.

Works on the folded copy of a text in which numbers were already found (see `qc.privacy`): there a phone number is a run of
one private character, so that `张三 13800138000` is seen as a name beside a phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from qc.loosened import loosened

_H = r"[\u4e00-\u9fff]"
_PROVINCES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|"
    "甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
)
# Prefecture-level cities and prefectures, and the county-level cities that parcels name most. GB/T 2260.
_CITIES = (
    "石家庄 唐山 秦皇岛 邯郸 邢台 保定 张家口 承德 沧州 廊坊 衡水 太原 大同 阳泉 长治 晋城 朔州 晋中 运城 忻州 临汾 吕梁 呼和浩特 包头 "
    "乌海 赤峰 通辽 鄂尔多斯 呼伦贝尔 巴彦淖尔 乌兰察布 沈阳 大连 鞍山 抚顺 本溪 丹东 锦州 营口 阜新 辽阳 盘锦 铁岭 葫芦岛 长春 四平 "
    "辽源 通化 白山 松原 白城 延边 哈尔滨 齐齐哈尔 鸡西 鹤岗 双鸭山 大庆 伊春 佳木斯 七台河 牡丹江 黑河 绥化 南京 无锡 徐州 常州 苏州 南通 "
    "连云港 淮安 盐城 扬州 镇江 泰州 宿迁 杭州 宁波 温州 嘉兴 湖州 绍兴 金华 衢州 舟山 台州 丽水 合肥 芜湖 蚌埠 淮南 马鞍山 淮北 铜陵 "
    "安庆 黄山 滁州 阜阳 宿州 六安 亳州 池州 宣城 福州 厦门 莆田 三明 泉州 漳州 南平 龙岩 宁德 南昌 景德镇 萍乡 九江 新余 鹰潭 赣州 "
    "吉安 宜春 抚州 上饶 济南 青岛 淄博 枣庄 东营 烟台 潍坊 济宁 泰安 威海 日照 临沂 德州 聊城 滨州 菏泽 郑州 开封 洛阳 平顶山 安阳 鹤壁 "
    "新乡 焦作 濮阳 许昌 漯河 三门峡 南阳 商丘 信阳 周口 驻马店 济源 武汉 黄石 十堰 宜昌 襄阳 鄂州 荆门 孝感 荆州 黄冈 咸宁 随州 恩施 "
    "长沙 株洲 湘潭 衡阳 邵阳 岳阳 常德 张家界 益阳 郴州 永州 怀化 娄底 湘西 广州 韶关 深圳 珠海 汕头 佛山 江门 湛江 茂名 肇庆 惠州 梅州 "
    "汕尾 河源 阳江 清远 东莞 中山 潮州 揭阳 云浮 南宁 柳州 桂林 梧州 北海 防城港 钦州 贵港 玉林 百色 贺州 河池 来宾 崇左 海口 三亚 儋州 "
    "成都 自贡 攀枝花 泸州 德阳 绵阳 广元 遂宁 内江 乐山 南充 眉山 宜宾 广安 达州 雅安 巴中 资阳 贵阳 六盘水 遵义 安顺 毕节 铜仁 昆明 曲靖 "
    "玉溪 保山 昭通 丽江 普洱 临沧 大理 西双版纳 拉萨 日喀则 昌都 林芝 山南 那曲 西安 铜川 宝鸡 咸阳 渭南 延安 汉中 榆林 安康 商洛 兰州 "
    "嘉峪关 金昌 白银 天水 武威 张掖 平凉 酒泉 庆阳 定西 陇南 西宁 海东 银川 石嘴山 吴忠 固原 中卫 乌鲁木齐 克拉玛依 吐鲁番 哈密 喀什 伊犁 "
    "义乌 昆山 常熟 张家港 江阴 慈溪 余姚 晋江 石狮 诸暨 温岭 瑞安 乐清 海宁 桐乡 永康 太仓 宜兴 浏阳 寿光 台北 高雄 台中"
)
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕张孔曹严金魏陶姜戚谢邹喻柏窦章苏潘葛奚范彭郎鲁韦昌马苗花方俞任袁柳鲍史唐费廉"
    "岑薛雷贺倪汤滕殷罗毕郝邬安常乐于傅皮卞齐康伍余顾孟黄穆萧尹姚邵湛汪祁毛禹狄米贝臧戴谈宋庞熊纪舒屈项祝董梁杜阮蓝闵季强贾路"
    "娄危江童颜郭梅盛林钟徐邱骆高夏蔡田樊胡凌霍虞万支柯管卢莫经房裘缪解应宗丁宣邓郁杭洪包诸左石崔吉龚程邢裴陆荣翁荀甄曲封储靳"
    "焦牧山谷车侯全班秋仲伊宫宁仇栾厉祖武符刘景詹龙叶司黎白蒲邰赖卓屠蔺池乔闻翟谭姬申冉雍桑桂牛边燕冀尚农温庄晏柴瞿阎连习艾鱼"
    "向古易戈廖终居衡步耿满匡文寇广欧隆师巩聂敖冷辛简饶曾沙丰关查游权盖益桓公涂肖付代覃佟佘揭区闫"
)
_COMPOUND = "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|夏侯|南宫|端木|独孤|长孙|宇文|闻人|轩辕|呼延"
# What no given name is written with; it tells 安全, 方便 and 高铁站 from names.
_NO_NAME = "的了吗呢吧呀啊哦我你您他她它们这那号店站点个是在有没不发到货件单码价钱款买卖快递电话手机请就都也和给让把被找询改填写看问选输查性别要想会能可很太后前上下里外时间天日月年元块"
_WORDS = (
    "谢谢 方便 安全 常用 平时 万一 全部 成功 于是 马上 高端 水果 周一 周二 周三 周四 周五 周六 周末 应该 许多 程序 任何 安排 顾客 商家 舒服 "
    "温馨 牛奶 白色 黄色 金色 蓝色 计算 田园 高兴 高级 经常 经理 房东 石头 广告 文字 文件 连接 解决 关于 关闭 路由 路过 景区 居住 公司 公寓 "
    "米色 花色 强烈 益处 游戏 权限 盖子 易碎 古典 师傅 冷藏 包邮 包裹 全家 全国 常见 管理 祝福 毛巾 何必 白天 温度 康复 代收 代购 付款 付费"
)  # fmt: skip
_STOP = frozenset(_WORDS.split()) | frozenset(_CITIES.split()) | frozenset(_PROVINCES.split("|"))
_GIVEN = rf"[^{_NO_NAME}\W\da-z_]"
_TITLE = "先生|女士|小姐|老师|太太|阿姨"
_NAME = rf"(?:(?:{_COMPOUND})(?:{_GIVEN}{{1,2}}|{_TITLE})|[{_SURNAMES}](?:{_TITLE}|{_GIVEN}{{1,2}}))"
_FOREIGN = rf"{_H}{{2,8}}·{_H}{{2,8}}|[a-z]{{2,12}}(?: [a-z]{{2,12}})?"

_GAP = r"[\s,，、;；:|/\"'(]*"
_IS = r"\s*[\"']?\s*[:,，=]?\s*[\"']?\s*"
_NAME_LABEL = r"(?:(?:收[货件]人?|买家|真实|客户)?姓名|收[货件]人|联系人|寄件人|户名|实名)"
_NUMBER_LABEL = r"(?:(?:联系|收[货件])?(?:电话|手机)(?:号码?)?|手机号码?|tel|联系方式|身份证号?码?|账号)"
_STOPS = r"(?=[\s,，、;；。:|/\"'()\ue000-\ue008]|$|电话|手机|联系|地址|身份证|账号|卡号)"
_LABELLED = re.compile(rf"{_NAME_LABEL}{_IS}({_NAME}|{_FOREIGN}){_STOPS}")
_NUMBERS = "\ue000\ue001"  # phone and identity card, as qc.privacy marks them; \ue007 is an address
_BEFORE = re.compile(
    rf"(?:^|[\s,，、;；。:|/\"'(\[\]】\ue000-\ue008叫找份])({_NAME})(?=(?:{_GAP})(?:收[货件]?)?(?:{_NUMBER_LABEL}{_IS})?[{_NUMBERS}])"
)
_AFTER = re.compile(rf"[{_NUMBERS}][\s,，、;；/|)]*({_NAME})(?=[\s,，、;；/|)]*(?:$|\ue007))")
_BETWEEN = re.compile(rf"\ue007{_GAP}(?:({_NAME})(?={_GAP}(?:收|\ue000))|({_H}{{2,4}}?)(?=收{_GAP}\ue000))")
_LAST = re.compile(rf"\ue007[\s,，、;；]+({_NAME})(?=收?$)")

# Words that end a part of an address; the single characters of the second list only after a number.
_UNIT = (
    "街道|大道|社区|小区|花园|家园|公寓|大厦|大楼|广场|中心|园区|工业园|工业区|科技园|产业园|软件园|开发区|新村|大学|学院|学校|中学|小学|医院|"
    "宿舍|校区|生活区|自治区|自治州|地区|号院|号楼|驿站|超市|单元|胡同|行政区|村委会|"
    "[省市区县旗州盟镇乡村街道路巷弄里庄屯苑园城湾府庭楼队店厂铺场厦院组寨居]"
)
_NUMBERED = "号|栋|幢|座|室|层|户|门|房|舍|期"
_INNER = r"[^\W\da-z_的了是吗呢吧在有我你您他她这那说跟没不要]"
_NUM = r"[0-9a-z一二三四五六七八九十百〇零甲乙丙丁东西南北#\-]"
_TOKEN = rf"(?:{_INNER}{{0,12}}?(?:{_UNIT})|{_NUM}{{1,8}}(?:{_UNIT}|{_NUMBERED}))(?!:|道:)"
_PLACE = rf"(?:{_PROVINCES}|{'|'.join(sorted(_CITIES.split(), key=len, reverse=True))})"
_REGION = rf"(?:{_PLACE}(?:{_H}{{0,3}}自治区|特别行政区|地区|[省市州盟])?[ ,，/]?)"
_TAIL = r"(?: ?[a-z]?[0-9]{1,5}(?:-[0-9]{1,5}){0,3}(?:室|号|房)?)?"
_FLOW = rf"(?:{_TOKEN})(?:[ /]?(?:{_TOKEN}))*{_TAIL}"
_ADDRESS = re.compile(rf"{_REGION}{{1,3}}(?:{_FLOW})?|{_FLOW}")
_ADDRESS_LABEL = re.compile(
    rf"(?:(?:收[货件]|详细|邮寄|送货|家庭|公司|寄件|新|我的)?地址|住址|所在地区|(?<![\u4e00-\u9fff])(?:地区|街道|小区))"
    rf"(?:改成|改为|改到|换成|是|为)?{_IS}"
)
_START = re.compile(
    rf"(?P<region>{_REGION}{{1,3}})|(?:^|(?<=[\s,，、;；。:|/\"'(\ue000-\ue008住在到寄发送是址]))(?:{_H}{{2,3}}[区县旗](?={_H}|[0-9])"
    rf"|{_H}{{2,6}}(?:花园|小区|公寓|家园|苑|新村|嘉园|大厦)(?=[0-9]))"
)
_LEAD = re.compile(r"^(?:请|麻烦|帮我?|改?[寄发送邮]到?|到|放|我?住在?|在|是)+")
_DETAIL = re.compile(
    r"[0-9一二三四五六七八九十]+(?:号|弄|栋|幢|座|单元|室|楼|层|组|舍|巷|区[0-9])|[路号厦][0-9a-z-]{2,}(?!分|米|公里|路|元|块|[0-9])"
)
_LOCAL = re.compile(r"[区县镇乡村街路道巷弄苑栋幢室旗]|小区|花园|公寓|大厦|广场|大学")
_STREET = re.compile(
    r"[镇乡村街路道巷弄栋幢厦]|小区|花园|公寓|广场|大学|号院|校区|[园苑庭府湾城居里庄](?=[0-9a-z一二三四五六七八九十]+[栋幢座号单期区])"
)
_BLOCK = re.compile(rf"{_NAME_LABEL}\s*[\"']?:")


def is_possible(folded: pl.Expr) -> pl.Expr:
    """Whether a folded text has the parts of an address or a labelled name; where it has not, both searches find nothing."""

    def has(*patterns: re.Pattern[str]) -> pl.Expr:
        return pl.all_horizontal([folded.str.contains(loosened(p.pattern)) for p in patterns])

    is_field = folded.str.contains(r"[:=\"]") & has(_ADDRESS_LABEL, _LOCAL)
    return (
        has(_LABELLED) | is_field | (has(_STREET) & (has(_DETAIL) | has(_BLOCK)) & (has(_ADDRESS_LABEL) | has(_START)))
    )


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of postal addresses: after a label, beside a phone number, or complete down to a house number.

    A region alone (「发杭州几天到」) is nobody's address and stays.
    """
    at = 0
    while label := _ADDRESS_LABEL.search(text, at):
        at = label.end()
        is_field = re.search(r"[:=\"]", label[0])
        if (found := _read(text, at)) and (_LOCAL.search(text, *found) if is_field else _is_whole(text, *found)):
            yield found
            at = found[1]
    if not _STREET.search(text):  # most texts that name a city: spared the long search for where an address begins
        return
    is_block = any(n in text for n in _NUMBERS) or bool(_BLOCK.search(text))
    at = 0
    while start := _START.search(text, at):
        found = _read(text, start.start())
        at = max(start.end(), found[1] if found else 0)
        if found and (_is_whole(text, *found) or (is_block and start["region"] and _STREET.search(text, *found))):
            yield found


def names(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of people's names: after a label, or beside a number or an address (as `qc.privacy` marks them)."""
    is_block = "\ue000" in text or "\ue007" in text
    beside = (_BEFORE, _AFTER, _BETWEEN, _LAST) if is_block or "\ue001" in text else ()
    for pattern in (_LABELLED, *beside):
        for m in pattern.finditer(text):
            name = m[m.lastindex or 0]
            if name not in _STOP and (is_block or not name.isascii()):
                yield m.span(m.lastindex or 0)


def _read(text: str, start: int) -> tuple[int, int] | None:
    """The address that begins here: its regions, streets and numbers, without what is asked about it."""
    lead = _LEAD.match(text[start : start + 12])
    start += lead.end() if lead else 0
    m = _ADDRESS.match(text, start)
    if not m or not m[0].strip():
        return None
    return m.start(), m.start() + len(m[0].rstrip(" ,，/-#"))


def _is_whole(text: str, start: int, end: int) -> bool:
    return bool(_DETAIL.search(text, start, end) and _STREET.search(text, start, end))
