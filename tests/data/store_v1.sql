-- Rows as schema version 1 wrote them. Synthetic. Kept for ever: newer programs must read them after migration.
INSERT INTO "announced" VALUES('homeassistant/device/hrvd_alex/config');
INSERT INTO "athlete" VALUES('alex','ALEX','Europe/Berlin');
INSERT INTO "check_result" VALUES(1,'boot-1-alex-1','boot-1','alex','A0:9E:1A:9F:6E:01','strap_on','supine',100000000,1790000010000000,'2026-09-21',60.0,120.25,'good',4.24583333333333357018e+01,3.74,55.1,1088.9,61.0,18.2,3.43,1,NULL,110,108,0.9,0.999,0.0,119.0,'gap,extended',1,0);
INSERT INTO "event_log" VALUES(1,6,'boot-1',90000000,'clock',NULL,NULL,1790000000000000,'clock 90000000 2026-09-21T14:13:20Z');
INSERT INTO "event_log" VALUES(2,6,'boot-1',91000000,'command',NULL,'alex',NULL,'start 91000000 alex - manual');
INSERT INTO "event_log" VALUES(3,6,'boot-1',95000000,'link','A0:9E:1A:9F:6E:01',NULL,NULL,'link 95000000 A0:9E:1A:9F:6E:01 up');
INSERT INTO "event_log" VALUES(6,6,'boot-1',98000000,'link','A0:9E:1A:9F:6E:01',NULL,NULL,'link 98000000 A0:9E:1A:9F:6E:01 down');
INSERT INTO "meta" VALUES('example','1');
INSERT INTO "outbox" VALUES(1,1790000010000000,'hrvd/hall/athlete/alex/morning',X'7B7D',1,1,NULL,0,0);
INSERT INTO "recording" VALUES(1,'A0:9E:1A:9F:6E:01','alex','boot-1',4,96000000,1790000006000000,97000000,2,'0.1.0');
INSERT INTO "packet_chunk" VALUES(4,6,1,96000000,97000000,2,1,X'B2EA77AA020480B0E32D010104103C60008092F401103C6100');
INSERT INTO "strap" VALUES('A0:9E:1A:9F:6E:01','alex',NULL,1790000000000000);
INSERT INTO "strap_facts" VALUES('A0:9E:1A:9F:6E:01','H10 12345678',90,NULL,'Polar Electro Oy',NULL,NULL,NULL,NULL,NULL);
