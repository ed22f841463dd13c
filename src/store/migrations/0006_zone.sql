-- Version 6: the time zone in which a check was taken, for one that is dated later than its person moved.

ALTER TABLE check_result ADD COLUMN time_zone TEXT;
UPDATE check_result SET time_zone = (SELECT a.time_zone FROM athlete a WHERE a.slug = check_result.athlete);
